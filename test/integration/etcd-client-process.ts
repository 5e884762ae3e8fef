/**
 * The other end of etcd-process.test.ts: a mirror and a session until SIGUSR2, then everything is
 * stopped and closed, and the process must end without being told to.
 */
import { once } from 'node:events';
import { systemClock } from '../../shared/clock.ts';
import { createSession } from '../../shared/etcd/session.ts';
import { connectEtcd, testLogger } from '../support/etcd-client.ts';
import { MirrorRecorder } from '../support/mirror-recorder.ts';

const etcd = connectEtcd([process.argv[2] ?? '']);
const mirror = etcd.mirror('/', new MirrorRecorder());
const session = createSession({
  etcd,
  clock: systemClock,
  random: Math.random,
  logger: testLogger(),
  ttlSeconds: 5,
  sessionKey: (id) => `/session/${id}`,
  sessionValue: 'w1',
  beatKey: '/workers/w1',
  beatValue: String,
});
const told = once(process, 'SIGUSR2');
const begun = new Promise<void>((resolve) => {
  session.onChange((change) => {
    if (change.type === 'begun') resolve();
  });
});
await mirror.start();
await session.start();
await mirror.ready();
await begun;
process.stdout.write('ready\n');
await told;
await session.stop();
await mirror.stop();
await etcd.close();
