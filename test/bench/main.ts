/**
 * `npm run bench [-- figure…]`: measures, prints one table, and writes the same as JSON.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import { createEtcd } from '../../shared/etcd/create-etcd.ts';
import { createLogger } from '../../shared/log.ts';
import { packageRoot } from '../../shared/package-root.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { findProgram } from '../support/programs.ts';
import { benchClaims } from './claims.ts';
import { printTable, type Figure } from './figures.ts';
import { benchLateness } from './lateness.ts';
import { benchReady } from './ready.ts';
import { benchSimulation } from './simulation.ts';

const benches: Readonly<Record<string, () => Promise<Figure[]>>> = {
  claims: async () => {
    const server = await startEtcd();
    const etcd = createEtcd({
      endpoints: server.endpoints,
      clock: systemClock,
      random: Math.random,
      logger: createLogger('bench', 'silent'),
    });
    try {
      return await benchClaims(etcd);
    } finally {
      await etcd.close();
      await server.stop();
    }
  },
  lateness: benchLateness,
  ready: benchReady,
  simulation: benchSimulation,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  process.stderr.write(
    `No such figure: ${unknown.join(', ')}. There are: ${Object.keys(benches).join(', ')}.\n`,
  );
  process.exit(2);
}

const figures: Figure[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stderr.write(`bench  ${name} ...\n`);
  figures.push(...(await bench()));
}
const machine = {
  at: new Date().toISOString(),
  cpu: os.cpus()[0]?.model ?? 'unknown',
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  etcd: execFileSync(findProgram('etcd'), ['--version'], { encoding: 'utf8' }).split('\n')[0],
};
const file = path.join(packageRoot(), 'bench-results.json');
writeFileSync(file, `${JSON.stringify({ machine, figures }, null, 2)}\n`);
process.stdout.write(
  `\n${printTable(figures)}\n${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.etcd}\nAs JSON: ${file}\n`,
);
process.exit(0);
