/**
 * The steps of the set-up, in order. For `start`: packages, build, etcd. For `test`: packages and
 * every real program that the tests run (npm test builds by itself). A step that is done is
 * skipped; what cannot be done is reported together at the end, exit code 1.
 */
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Apt } from './apt.mjs';
import { buildConsole, buildServer } from './build.mjs';
import { etcdProgram } from './etcd.mjs';
import { installPackages } from './install.mjs';
import { withLock } from './lock.mjs';
import { mongodProgram } from './mongod.mjs';
import { provide } from './programs.mjs';
import { SetupError, step } from './progress.mjs';
import { testPrograms } from './test-programs.mjs';
import { ToolsFile } from './tools-file.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export async function main(args) {
  const purpose = parsePurpose(args);
  if (purpose === undefined) {
    console.error('usage: node scripts/setup.mjs [--for start|test]');
    process.exitCode = 2;
    return;
  }
  try {
    await withLock(root, () => (purpose === 'test' ? setUpForTest() : setUpForStart()));
  } catch (error) {
    console.error(`\n${error instanceof SetupError ? error.render() : unforeseen(error)}`);
    process.exitCode = 1;
  }
}

function unforeseen(error) {
  if (process.env.DEBUG) return error.stack;
  return `setup failed: ${error.message}\nStart it with DEBUG=1 to see where.`;
}

function parsePurpose(args) {
  if (args.length === 0) return 'start';
  const [flag, purpose] = args;
  if (args.length !== 2 || flag !== '--for') return undefined;
  return purpose === 'start' || purpose === 'test' ? purpose : undefined;
}

async function setUpForStart() {
  await commonSteps();
  await step('build', (announce) => buildServer(root, announce));
  await step('console', (announce) => buildConsole(root, announce));
  if (process.env.CRONMESH_ETCD) {
    await step('etcd', async () => `not needed: CRONMESH_ETCD names ${process.env.CRONMESH_ETCD}`);
    return;
  }
  const tools = await loadTools();
  const program = await etcdProgram(new Apt());
  await step('etcd', (announce) => provide(tools, 'etcd', program, announce));
}

async function setUpForTest() {
  await commonSteps();
  const tools = await loadTools();
  const apt = new Apt();
  const { etcdctl, ...others } = await testPrograms(apt, root);
  const programs = {
    ...others,
    etcd: await etcdProgram(apt),
    // A release of etcd brings it along.
    etcdctl,
    mongod: await mongodProgram(apt, root),
  };
  await planInstalls(apt, programs);
  const failures = [];
  for (const [name, program] of Object.entries(programs)) {
    try {
      await step(name, (announce) => provide(tools, name, program, announce));
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw allOf(failures);
}

async function commonSteps() {
  await step('node', async () => `${process.versions.node} ${process.execPath}`);
  await step('packages', (announce) => installPackages(root, announce));
}

async function loadTools() {
  const tools = new ToolsFile(root);
  await tools.load();
  return tools;
}

/** Plans the packages of what is neither on PATH nor cached, so that one call installs them all. */
async function planInstalls(apt, programs) {
  for (const program of Object.values(programs)) {
    if (program.package === undefined) continue;
    const local = program.sources.filter(({ how }) => how === 'found' || how === 'cached');
    const paths = await Promise.all(local.map((source) => source.get(() => {})));
    if (paths.every((path) => path === undefined)) apt.plan(program.package);
  }
}

function allOf(failures) {
  const [first] = failures;
  if (failures.length === 1) return first;
  return new SetupError(
    `${failures.length} programs that the tests run could not be had.`,
    [],
    failures.map((failure) => failure.render()).join('\n\n'),
  );
}
