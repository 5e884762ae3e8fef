/**
 * Why a run could not be started, in words for the person who wrote the job. The system reports
 * the same ENOENT for a missing working directory, a missing shell and a shell whose interpreter
 * is missing, so the file system is asked which of them it was.
 */
import { accessSync, constants, statSync } from 'node:fs';

export interface SpawnTarget {
  readonly shell: string;
  readonly workingDirectory: string;
}

/** `error` is what spawn threw or emitted. */
export function describeSpawnFailure(error: unknown, target: SpawnTarget): string {
  const code = codeOf(error);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EACCES':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return (
        describeDirectory(target.workingDirectory) ??
        describeShell(target.shell) ??
        `spawn ${target.shell} ${code}`
      );
    case 'ENOEXEC':
      return `shell ${target.shell} is not a program (${code})`;
    case 'E2BIG':
      return `the command and its environment are too long for the system (${code})`;
    case 'EAGAIN':
      return `the system allows no more processes (${code})`;
    case 'EMFILE':
    case 'ENFILE':
      return `too many open files (${code})`;
    case 'ENOMEM':
      return `not enough memory to start a process (${code})`;
    case undefined:
      return `spawn ${target.shell}: ${error instanceof Error ? error.message : String(error)}`;
    default:
      return `spawn ${target.shell} ${code}`;
  }
}

function describeDirectory(path: string): string | undefined {
  try {
    if (!statSync(path).isDirectory()) return `working directory ${path} is not a directory`;
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    return codeOf(error) === 'ENOENT'
      ? `working directory ${path} does not exist`
      : `working directory ${path} cannot be entered (${codeOf(error) ?? 'unknown error'})`;
  }
}

function describeShell(path: string): string | undefined {
  try {
    if (statSync(path).isDirectory()) return `shell ${path} is a directory`;
  } catch (error) {
    return codeOf(error) === 'ENOENT'
      ? `shell ${path} does not exist`
      : `shell ${path} cannot be reached (${codeOf(error) ?? 'unknown error'})`;
  }
  try {
    accessSync(path, constants.X_OK);
  } catch (error) {
    return `shell ${path} may not be executed (${codeOf(error) ?? 'unknown error'})`;
  }
  return `the interpreter that shell ${path} names does not exist`;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const { code } = error;
  // Node's own ERR_ codes stand for a bad argument, and their message says which.
  return typeof code === 'string' && !code.startsWith('ERR_') ? code : undefined;
}
