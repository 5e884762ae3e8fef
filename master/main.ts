/**
 * The master's process: settings, signals, exit codes. 0 after SIGTERM or SIGINT, 1 when it cannot
 * start. `node dist/master/main.js --config master.json`.
 */
import { systemClock } from '../shared/clock.ts';
import { settingVariables } from '../shared/config/common.ts';
import { describeConfigError, loadConfig } from '../shared/config/load-config.ts';
import { isCronmeshError } from '../shared/errors.ts';
import { createLogger, type Logger } from '../shared/log.ts';
import { masterSchema, type MasterConfig } from './config.ts';
import { createMaster, type Master } from './master.ts';

const usage = `Usage: node dist/master/main.js [--config FILE] [settings]

A master of cronmesh: the API and the console. Any number may run; none runs a job.`;

/** Whatever does not end by then is cut. */
const stopWithinMs = 5_000;

function explain(error: unknown): string {
  if (isCronmeshError(error, 'config-invalid')) return describeConfigError('The master', error);
  if (isCronmeshError(error, 'address-in-use')) return `${error.message}\n`;
  return `The master cannot start: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n`;
}

function giveUp(error: unknown): never {
  process.stderr.write(explain(error));
  process.exit(1);
}

function loadSettings() {
  try {
    return loadConfig({
      schema: masterSchema,
      envNames: settingVariables,
      argv: process.argv.slice(2),
      env: process.env,
      usage,
    });
  } catch (error) {
    giveUp(error);
  }
}

function stopOnSignal(master: Master, logger: Logger): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.warn('not everything ended in time; leaving it');
      process.exit(0);
    }, stopWithinMs).unref();
    master.stop().then(
      () => {
        logger.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function run(config: MasterConfig, logger: Logger): Promise<void> {
  try {
    const master = createMaster(config, { logger, clock: systemClock, random: Math.random });
    stopOnSignal(master, logger);
    await master.start();
  } catch (error) {
    giveUp(error);
  }
}

const loaded = loadSettings();
if (loaded.kind === 'help') {
  process.stdout.write(loaded.text);
} else {
  const logger = createLogger('master', loaded.config.logLevel);
  for (const warning of loaded.warnings) logger.warn(warning);
  logger.info({ settings: loaded.shown }, 'starting');
  await run(loaded.config, logger);
}
