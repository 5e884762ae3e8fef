/**
 * The thread that owns one connection to the history file: takes one call at a time, answers it or
 * says why not. The file is opened at the first call, and again after a failure that leaves the
 * connection in doubt. Everything about the state of the file is `store-unavailable` (it can be
 * repaired, and nothing must be dropped meanwhile); only what was asked can be `store-rejected`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { isCronmeshError, type ErrorCode } from '../../errors.ts';
import { HistoryFile } from './history-file.ts';
import { getRun, lastRuns, listRuns, outputEnd, readOutput } from './read-rows.ts';
import { deleteRows, integrityProblems, nextJob, oldRows, storageUse } from './prune-rows.ts';
import { countDays, countJobs, timedRuns } from './stats-rows.ts';
import {
  packChunks,
  unpackRecords,
  type ThreadReply,
  type ThreadRequest,
} from './thread-protocol.ts';
import { writeRecords } from './write-records.ts';

const port = parentPort;
const path = fileFrom(workerData);
let file: HistoryFile | undefined;

port?.on('message', (request: ThreadRequest) => {
  const { serial } = request;
  try {
    const { answer, transfer } = answerOf(request);
    post({ serial, answer }, transfer);
  } catch (error) {
    if (!isBusy(error)) forgetFile();
    post({ serial, error: errorOf(error) });
  }
});

function post(reply: ThreadReply, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(reply, transfer);
}

function answerOf(request: ThreadRequest): { answer: unknown; transfer?: readonly ArrayBuffer[] } {
  if (request.call === 'close') {
    file?.close();
    file = undefined;
    return { answer: null };
  }
  file ??= new HistoryFile(path);
  switch (request.call) {
    case 'ping':
      file.all('SELECT count(*) FROM sqlite_master', []);
      return { answer: null };
    case 'ingest':
      writeRecords(file, unpackRecords(request.ask));
      return { answer: null };
    case 'listRuns':
      return { answer: listRuns(file, request.ask) };
    case 'getRun':
      return { answer: getRun(file, request.ask) };
    case 'lastRuns':
      return { answer: lastRuns(file, request.ask) };
    case 'countJobs':
      return { answer: countJobs(file, request.ask) };
    case 'countDays':
      return { answer: countDays(file, request.ask) };
    case 'timedRuns':
      return { answer: timedRuns(file, request.ask) };
    case 'nextJob':
      return { answer: nextJob(file, request.ask) };
    case 'oldRows':
      return { answer: oldRows(file, request.ask) };
    case 'deleteRows':
      return { answer: deleteRows(file, request.ask) };
    case 'storageUse':
      return { answer: storageUse(file, path) };
    case 'check':
      return { answer: integrityProblems(file) };
    case 'readOutput': {
      const answer = packChunks(readOutput(file, request.ask));
      return { answer, transfer: [answer.bytes] };
    }
    case 'outputEnd':
      return { answer: outputEnd(file, request.ask) };
  }
}

function forgetFile(): void {
  const open = file;
  file = undefined;
  try {
    open?.close();
  } catch {
    // It is given up because it failed; the failure itself is on its way to the caller.
  }
}

function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY');
}

function errorOf(error: unknown): { code: ErrorCode; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (isCronmeshError(error)) return { code: error.code, message };
  const code = codeOf(error);
  const rejected = ['SQLITE_TOOBIG', 'SQLITE_MISMATCH', 'SQLITE_RANGE', 'SQLITE_CONSTRAINT'];
  return {
    code: rejected.some((prefix) => code.startsWith(prefix))
      ? 'store-rejected'
      : 'store-unavailable',
    message: `history file ${path}: ${message}${code === '' ? '' : ` (${code})`}`,
  };
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return String(error.code);
}

function fileFrom(data: unknown): string {
  if (typeof data === 'object' && data !== null && 'file' in data) return String(data.file);
  throw new TypeError('the history thread was given no file');
}
