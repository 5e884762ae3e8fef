/**
 * The worker process: settings, signals, exit code. SIGTERM or SIGINT drains; a second one ends at once.
 */
import { systemClock } from '../shared/clock.ts';
import { readEtcdCredentials } from '../shared/config/etcd-tls.ts';
import { describeConfigError, loadConfig } from '../shared/config/load-config.ts';
import { isCronmeshError } from '../shared/errors.ts';
import { createLogger } from '../shared/log.ts';
import { productVersion } from '../shared/package-root.ts';
import { workerConfigSchema, workerVariables } from './config.ts';
import { Worker } from './worker.ts';

async function main(): Promise<number> {
  const loaded = loadConfig({
    schema: workerConfigSchema,
    envNames: workerVariables,
    argv: process.argv.slice(2),
    env: process.env,
    usage: 'node dist/worker/main.js [--config FILE] [flags]\nSchedules, claims and runs jobs.',
  });
  if (loaded.kind === 'help') {
    process.stdout.write(loaded.text);
    return 0;
  }
  const { config } = loaded;
  const logger = createLogger('worker', config.logLevel).child({ worker: config.workerId });
  for (const warning of loaded.warnings) logger.warn(warning);
  const credentials = readEtcdCredentials(config);
  const worker = new Worker({
    config,
    ...(credentials === undefined ? {} : { credentials }),
    clock: systemClock,
    random: Math.random,
    logger,
    version: productVersion(),
  });
  const stopped = new Promise<void>((resolve, reject) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        logger.info({ signal }, 'stopping');
        worker.stop().then(resolve, reject);
      });
    }
  });
  try {
    await worker.start();
  } catch (error) {
    logger.debug({ err: error }, 'start failed');
    process.stderr.write(`worker cannot start: ${messageOf(error)}\n`);
    return 1;
  }
  await stopped;
  return 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  process.exit(await main());
} catch (error) {
  const text = isCronmeshError(error, 'config-invalid')
    ? describeConfigError('worker', error)
    : `worker cannot start: ${messageOf(error)}\n`;
  process.stderr.write(text);
  process.exit(1);
}
