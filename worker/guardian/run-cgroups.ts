/**
 * A cgroup (v2) for every run, beneath the guardian's own: nothing that a run starts can leave it,
 * whatever it does to its session or its environment, and one write to `cgroup.kill` ends it all.
 * Node cannot start a child inside a cgroup, so the guardian itself steps into the run's, spawns,
 * and steps back, with nothing in between. The kernel makes both steps wait (see the ADR on the
 * kill of trees), which is why this is only done when asked for.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const prefix = 'cronmesh-run-';
const usableRunId = /^[\w-]{1,100}$/;
/** How many cgroups that could not be removed are tried again at a time. */
const sweepSize = 8;

/** Throws with the reason when the system grants none. */
export function openRunCgroups(): RunCgroups {
  const own = ownCgroupFolder();
  const probe = join(own, `cronmesh-probe-${String(process.pid)}`);
  mkdirSync(probe);
  try {
    if (!existsSync(join(probe, 'cgroup.kill'))) throw new Error('the kernel has no cgroup.kill');
    moveSelfTo(probe);
    moveSelfTo(own);
  } finally {
    rmdirSync(probe);
  }
  return new RunCgroups(own);
}

export class RunCgroups {
  readonly #own: string;
  /** Ended runs whose daemons live on in there. */
  readonly #inhabited: string[] = [];
  #isStuck = false;

  constructor(own: string) {
    this.#own = own;
    // What a former guardian left empty; what is inhabited cannot be removed.
    for (const name of readdirSync(own)) {
      if (name.startsWith(prefix)) removeFolder(join(own, name));
    }
  }

  /** `spawn` is called exactly once, inside a new cgroup if one could be made. */
  spawnInside<T>(
    runId: string | undefined,
    spawn: () => T,
  ): { readonly value: T; readonly cgroup?: RunCgroup } {
    const folder = this.#isStuck ? undefined : this.#make(runId);
    if (folder === undefined) return { value: spawn() };
    let value: T;
    try {
      value = spawn();
    } catch (error) {
      if (this.#stepBack()) this.#remove(folder);
      throw error;
    }
    // In a run's cgroup the guardian would end with the run, and every other run with it.
    if (!this.#stepBack()) return { value };
    return { value, cgroup: new RunCgroup(folder, () => this.#remove(folder)) };
  }

  #make(runId: string | undefined): string | undefined {
    if (runId === undefined || !usableRunId.test(runId)) return undefined;
    const folder = join(this.#own, prefix + runId);
    try {
      mkdirSync(folder);
      moveSelfTo(folder);
      return folder;
    } catch {
      removeFolder(folder);
      return undefined;
    }
  }

  #stepBack(): boolean {
    try {
      moveSelfTo(this.#own);
    } catch {
      this.#isStuck = true;
    }
    return !this.#isStuck;
  }

  #remove(folder: string): void {
    this.#inhabited.push(folder);
    for (const one of this.#inhabited.splice(0, sweepSize)) {
      if (!removeFolder(one)) this.#inhabited.push(one);
    }
  }
}

export class RunCgroup {
  readonly #folder: string;
  readonly #onLeave: () => void;

  constructor(folder: string, onLeave: () => void) {
    this.#folder = folder;
    this.#onLeave = onLeave;
  }

  isPopulated(): boolean {
    try {
      return /^populated 1$/m.test(readFileSync(join(this.#folder, 'cgroup.events'), 'utf8'));
    } catch {
      return false;
    }
  }

  /** Pids of the members, those of nested cgroups left out. */
  members(): number[] {
    try {
      const text = readFileSync(join(this.#folder, 'cgroup.procs'), 'utf8');
      return text
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 1);
    } catch {
      return [];
    }
  }

  /** KILL to all, forks included. */
  kill(): void {
    try {
      writeFileSync(join(this.#folder, 'cgroup.kill'), '1');
    } catch {
      // It is gone, and with it all that was in it.
    }
  }

  /** The run is over; the cgroup goes once nothing lives in it. */
  leave(): void {
    this.#onLeave();
  }
}

/** What an earlier guardian of the same cgroup left of a run, if anything. */
export function findRunCgroup(runId: string): RunCgroup | undefined {
  try {
    const folder = join(ownCgroupFolder(), prefix + runId);
    if (!usableRunId.test(runId) || !existsSync(folder)) return undefined;
    return new RunCgroup(folder, () => removeFolder(folder));
  } catch {
    return undefined;
  }
}

function ownCgroupFolder(): string {
  const path = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  if (path === undefined) throw new Error('no cgroup v2');
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount = '', type = ''] = line.split(' - ');
    if (!type.startsWith('cgroup2 ')) continue;
    const [, , , root = '/', point = ''] = mount.split(' ');
    const isBelow = root === '/' || path === root || path.startsWith(`${root}/`);
    if (isBelow) return join(point, root === '/' ? path : path.slice(root.length));
  }
  throw new Error('no cgroup v2 is mounted');
}

/** All threads of this process. */
function moveSelfTo(folder: string): void {
  writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
}

/** False when something lives in it. */
function removeFolder(folder: string): boolean {
  try {
    // Its files go with it; a run may have made cgroups of its own inside.
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeFolder(join(folder, entry.name));
    }
    rmdirSync(folder);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}
