/**
 * `npm start`: runs the one-machine mesh until Ctrl-C. A second Ctrl-C ends everything at once.
 * Exit code 0 after Ctrl-C, 1 when it cannot start, 130 after a second Ctrl-C.
 */
import { isCronmeshError } from '../../shared/errors.ts';
import { Mesh, type MeshReport } from './mesh.ts';
import { parseOptions, usage, type MeshOptions } from './options.ts';

const say = (line: string): void => {
  process.stdout.write(`cronmesh   ${line}\n`);
};

async function main(): Promise<number> {
  let options: MeshOptions | undefined;
  try {
    options = parseOptions(process.argv.slice(2), process.env);
  } catch (error) {
    return explain(error);
  }
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  return run(options);
}

async function run(options: MeshOptions): Promise<number> {
  const mesh = new Mesh(options, say);
  const abort = new AbortController();
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (abort.signal.aborted) {
          mesh.killNow();
          process.exit(130);
        }
        abort.abort(new Error('stopped'));
        say('stopping: workers finish what they have (again to end at once)');
        resolve();
      });
    }
  });
  // Whatever is wrong with the supervisor itself, the processes it started must not outlive it.
  process.on('uncaughtException', (error) => {
    mesh.killNow();
    process.stderr.write(`cronmesh: ${error.stack ?? error.message}\n`);
    process.exit(1);
  });
  try {
    const report = await mesh.start(abort.signal);
    process.stdout.write(block(report, options));
    await asked;
  } catch (error) {
    await mesh.stop();
    return abort.signal.aborted ? 0 : explain(error);
  }
  await mesh.stop();
  say(`stopped; data stays in ${options.data}`);
  return 0;
}

/** One sentence for what a person can put right; anything else is a fault of ours, shown whole. */
function explain(error: unknown): number {
  const isOurs = !isCronmeshError(error) && error instanceof Error;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`cronmesh cannot start: ${isOurs ? (error.stack ?? message) : message}\n`);
  return 1;
}

function block(report: MeshReport, options: MeshOptions): string {
  const job = `'{"name":"hello","command":"echo hi","cronExpr":"*/10 * * * * *"}'`;
  return `
  The mesh is running: ${count(report.jobs, 'job')}, ${count(report.workers, 'worker')}.

  Console    ${report.console}
  Data       ${options.data}
  Add a job  curl -X PUT ${report.console}/api/v1/jobs/hello -H 'Content-Type: application/json' -H 'If-None-Match: *' \\
               -d ${job}
       or    ETCDCTL_API=3 etcdctl --endpoints ${report.etcd} put /cron/jobs/hello ${job}
  Stop       Ctrl-C

`;
}

function count(amount: number, word: string): string {
  return `${amount} ${word}${amount === 1 ? '' : 's'}`;
}

// A reader that has gone (a closed terminal, `| head`) must not end the mesh half-way.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
process.exit(await main());
