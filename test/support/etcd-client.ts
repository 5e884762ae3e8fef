/** An Etcd of our own adapter for tests: the system's clock, a silent logger. */
import { systemClock } from '../../shared/clock.ts';
import { createEtcd, type EtcdOptions } from '../../shared/etcd/create-etcd.ts';
import type { Etcd } from '../../shared/etcd/port.ts';
import { createLogger, type Logger } from '../../shared/log.ts';

/** CRONMESH_TEST_LOG_LEVEL=debug shows what components under test log. */
export function testLogger(): Logger {
  return createLogger(
    'test',
    process.env['CRONMESH_TEST_LOG_LEVEL'] === 'debug' ? 'debug' : 'silent',
  );
}

/** Close it before the etcd it talks to is stopped. */
export function connectEtcd(
  endpoints: readonly string[],
  options: Partial<EtcdOptions> = {},
): Etcd {
  return createEtcd({
    endpoints,
    clock: systemClock,
    random: Math.random,
    logger: testLogger(),
    ...options,
  });
}
