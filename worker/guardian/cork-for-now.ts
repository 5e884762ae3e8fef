/**
 * Joins what is written to a socket from here to the end of the running callback into one write: a
 * write, and what it wakes up, costs more than a message does to make.
 */
import type { Socket } from 'node:net';

export function corkForNow(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}
