/**
 * `npm start`: runs the one-machine mesh until Ctrl-C. A second Ctrl-C ends everything at once.
 */
import { isCronmeshError } from '../../shared/errors.ts';
import { Mesh, type MeshReport } from './mesh.ts';
import { parseOptions, usage, type MeshOptions } from './options.ts';

const say = (line: string): void => {
  process.stdout.write(`cronmesh   ${line}\n`);
};

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
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
  try {
    const report = await mesh.start(abort.signal);
    process.stdout.write(block(report, options));
    await asked;
  } catch (error) {
    await mesh.stop();
    if (abort.signal.aborted) return 0;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`cronmesh cannot start: ${message}\n`);
    if (!isCronmeshError(error)) throw error;
    return 1;
  }
  await mesh.stop();
  say(`stopped; data stays in ${options.data}`);
  return 0;
}

function block(report: MeshReport, options: MeshOptions): string {
  const job = `'{"name":"hello","command":"echo hi","cronExpr":"*/10 * * * * *"}'`;
  return `
  The mesh is running: ${report.jobs} jobs, ${report.workers} workers.

  Console    ${report.console}
  Data       ${options.data}
  Add a job  curl -X PUT ${report.console}/api/v1/jobs/hello -H 'Content-Type: application/json' -H 'If-None-Match: *' \\
               -d ${job}
       or    ETCDCTL_API=3 etcdctl --endpoints ${report.etcd} put /cron/jobs/hello ${job}
  Stop       Ctrl-C

`;
}

process.exit(await main());
