/**
 * `npm run bench [-- [--full] figure…]`: measures, prints one table, and writes the same as JSON. With
 * --full, what takes minutes is measured in its full size.
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
import { judge, printTable, type Figure } from './figures.ts';
import { benchFailover } from './failover.ts';
import { benchHistory } from './history.ts';
import { benchKill } from './kill.ts';
import { benchLiveTail } from './live-tail.ts';
import { benchLateness } from './lateness.ts';
import { benchLoop } from './loop.ts';
import { benchConsole } from './master-console.ts';
import { benchMassChange } from './mass-change.ts';
import { benchMaster } from './master.ts';
import { benchMemory } from './memory.ts';
import { benchQuestions } from './questions.ts';
import { benchRace } from './race.ts';
import { benchReady } from './ready.ts';
import { benchShellSurge } from './shell-surge.ts';
import { benchShells } from './shells.ts';
import { benchSimulation } from './simulation.ts';
import { benchSteady } from './steady.ts';
import { benchSurge } from './surge.ts';

const isFull = process.argv.includes('--full');

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
  race: benchRace,
  surge: benchSurge,
  lateness: benchLateness,
  'mass-change': benchMassChange,
  failover: benchFailover,
  shells: benchShells,
  steady: () => benchSteady(isFull ? 60 : 10),
  'shell-surge': () => benchShellSurge(isFull ? 10_000 : 1_000),
  loop: benchLoop,
  kill: benchKill,
  memory: () => (isFull ? benchMemory(20_000, 100_000) : benchMemory(1_000, 10_000)),
  history: benchHistory,
  questions: () => benchQuestions(isFull ? 10_000_000 : 200_000),
  'live-tail': benchLiveTail,
  ready: benchReady,
  master: benchMaster,
  console: benchConsole,
  simulation: benchSimulation,
};

const asked = process.argv.slice(2).filter((argument) => argument !== '--full');
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
  try {
    figures.push(...(await bench()));
  } catch (error) {
    process.stderr.write(`bench  ${name} gave no figure: ${String(error)}\n`);
    process.exitCode = 1;
  }
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
writeFileSync(file, `${JSON.stringify({ machine, figures: figures.map(judge) }, null, 2)}\n`);
process.stdout.write(
  `\n${printTable(figures)}\n${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.etcd}\nAs JSON: ${file}\n`,
);
process.exit();
