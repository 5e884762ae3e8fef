/**
 * One set-up at a time in a clone: two terminals may say `npm start` and `npm test` at once. The
 * lock is a file with the holder's pid; one whose holder is gone is taken over.
 */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 250;

export async function withLock(root, run) {
  const folder = join(root, '.build');
  const file = join(folder, 'setup.lock');
  await mkdir(folder, { recursive: true });
  let told = false;
  while (!(await take(file))) {
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (!isAlive(holder)) {
      await rm(file, { force: true });
      continue;
    }
    if (!told) console.log(`setup  waiting for another set-up here (pid ${holder})`);
    told = true;
    await delay(pollMs);
  }
  try {
    return await run();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file) {
  // Linked once it is written: nobody must read a lock that has no pid in it yet.
  const own = `${file}.${process.pid}`;
  await writeFile(own, String(process.pid));
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
