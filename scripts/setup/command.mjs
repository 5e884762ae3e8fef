/**
 * Running other programs, bounded in time: a command never throws and never outlives its limit;
 * what it returns says whether it worked and, if not, why, in words for a person.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

const keptBytes = 256 * 1024;
const interruptGraceSeconds = 10;

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: Record<string, string | undefined>, limitSeconds?: number}} options
 * @returns {Promise<{ok: boolean, stdout: string, stderr: string, why: string}>}
 */
export function run(command, args, options = {}) {
  const limitSeconds = options.limitSeconds ?? 60;
  return new Promise((resolve) => {
    // A group of its own: what the program started itself must not outlive the limit either.
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    let late = false;
    const signalGroup = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has just ended by itself.
      }
    };
    const timer = setTimeout(() => {
      late = true;
      signalGroup('SIGKILL');
    }, limitSeconds * 1000);
    const onInterrupt = () => {
      // Asked, not killed: dpkg must not stop in the middle of a package.
      signalGroup('SIGTERM');
      child.once('close', () => process.exit(130));
      setTimeout(() => process.exit(130), interruptGraceSeconds * 1000);
    };
    process.once('SIGINT', onInterrupt);
    process.once('SIGTERM', onInterrupt);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout = (stdout + text).slice(-keptBytes);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr = (stderr + text).slice(-keptBytes);
    });
    const finish = (ok, why) => {
      clearTimeout(timer);
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onInterrupt);
      resolve({ ok, stdout, stderr, why });
    };
    child.once('error', (error) => {
      finish(false, error.code === 'ENOENT' ? `${command} is not installed` : error.message);
    });
    child.once('close', (code, signal) => {
      if (code === 0) finish(true, '');
      else if (late) finish(false, `not done within ${limitSeconds} s`);
      else finish(false, lastLines(stderr || stdout, 6) || `ended with ${signal ?? code}`);
    });
  });
}

export function lastLines(text, count) {
  return text.trim().split('\n').slice(-count).join('\n');
}

/** The first executable of these names on PATH, or in one of `alsoIn`; undefined if none. */
export function findOnPath(names, alsoIn = []) {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    for (const folder of [...onPath, ...alsoIn]) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
