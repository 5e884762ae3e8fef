/** A master process as it is measured: with a watch of its loop and a bare route beside its own. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestMesh } from '../support/mesh.ts';
import { ServerProcess, waitFor } from '../support/server-process.ts';

export interface Start {
  readonly process: ServerProcess;
  readonly url: string;
  readonly bareUrl: string;
  readonly readyMs: number;
  readonly blockedMs: number;
}

/** Resolves once it is ready. */
export async function startMaster(mesh: TestMesh): Promise<Start> {
  const preloads = ['loop-watch.js', 'master-baseline.js'].map(
    (file) => `--import=${fileURLToPath(new URL(file, import.meta.url))}`,
  );
  const main = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../master/main.js');
  const began = performance.now();
  const master = new ServerProcess(process.execPath, [
    ...preloads,
    main,
    ...['--etcd', mesh.etcdServer.endpoints.join(',')],
    ...['--prefix', mesh.prefix, '--history', mesh.history],
    ...['--listen', '127.0.0.1:0'],
  ]);
  const found = (pattern: RegExp) => pattern.exec(master.output)?.[1];
  const url = await waitFor(
    async () => {
      const listening = found(/listening on (http:\/\/127\.0\.0\.1:\d+)/);
      if (listening === undefined) return undefined;
      const answer = await fetch(`${listening}/readyz`).catch(() => undefined);
      return answer?.ok === true ? listening : undefined;
    },
    { timeoutMs: 120_000, describe: () => `a ready master; ${master.output.slice(-1500)}` },
  );
  const readyMs = performance.now() - began;
  master.signal('SIGUSR2');
  const blocked = await waitFor(() => found(/loop blocked for (\S+) ms/), {
    timeoutMs: 10_000,
    describe: () => `an answer; ${master.output.slice(-500)}`,
  });
  const bareUrl = found(/bare route on (\S+)/) ?? '';
  return { process: master, url, bareUrl, readyMs, blockedMs: Number(blocked) };
}
