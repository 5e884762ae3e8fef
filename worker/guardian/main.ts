/**
 * The guardian process: started by the worker's executor, one for each worker, with a socket at
 * descriptor 3. It lives exactly as long as its worker: the end of that socket is the worker's
 * death, on which every run is killed at once. Signals meant for the worker's group do not move it.
 */
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { systemClock } from '../../shared/clock.ts';
import { Guardian, type Channel } from './guardian.ts';
import { corkForNow } from './cork-for-now.ts';
import { closeInheritedDescriptors } from './inherited-descriptors.ts';
import {
  cgroupsFlag,
  channelDescriptor,
  decodeToGuardian,
  encodeMessage,
  FrameReader,
  noSpawnerFlag,
} from './messages.ts';
import { PipePool } from './pipe-pool.ts';
import { openRunCgroups, type RunCgroups } from './run-cgroups.ts';

/** What may wait for a worker that does not read, before the runs are held up. */
const maxWaitingBytes = 2 * 1024 * 1024;

// First of all: the worker may be told to stop while this process is just coming up.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGPIPE'] as const) {
  process.on(signal, () => undefined);
}

// Node hands this one to every child, whatever environment the child was given.
delete process.env['NODE_V8_COVERAGE'];
closeInheritedDescriptors();

const socket = new Socket({ fd: channelDescriptor, readable: true, writable: true });
const channel: Channel = {
  write(parts, onWritten) {
    corkForNow(socket);
    for (const part of parts.slice(0, -1)) socket.write(part);
    socket.write(parts.at(-1) ?? '', onWritten);
    return socket.writableLength < maxWaitingBytes;
  },
};

const pipes = new PipePool({
  folder: tmpdir(),
  onTrouble: (text) => channel.write([encodeMessage({ type: 'notice', text })]),
});
pipes.fill();
const guardian = new Guardian({
  clock: systemClock,
  channel,
  pipes,
  cgroups: openCgroupsIfAsked(),
  hasSpawner: !process.argv.includes(noSpawnerFlag),
  onSpawnerGone: (how) => {
    throw new Error(`the spawner ended (${how})`);
  },
});
const frames = new FrameReader((body) => guardian.handle(decodeToGuardian(body)));

function openCgroupsIfAsked(): RunCgroups | undefined {
  if (!process.argv.includes(cgroupsFlag)) return undefined;
  try {
    return openRunCgroups();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `runs get no cgroup, what leaves its group is looked for by its run id: ${why}`;
    channel.write([encodeMessage({ type: 'notice', text })]);
    return undefined;
  }
}

function end(code: number): never {
  guardian.killAll();
  process.exit(code);
}

process.on('uncaughtException', (error) => {
  // The runs first: what follows may fail, too.
  guardian.killAll();
  process.stderr.write(`guardian: ${error.stack ?? error.message}\n`);
  process.exit(70);
});

socket.on('data', (chunk: Buffer) => frames.push(chunk));
socket.on('drain', () => guardian.resume());
socket.on('error', () => end(0));
socket.on('close', () => end(0));
guardian.greet();
