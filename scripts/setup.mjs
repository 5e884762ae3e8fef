/**
 * Makes a fresh machine ready: `node scripts/setup.mjs [--for start|test]`, run by npm before
 * `npm start` and `npm test`. It needs nothing but Node and git: no dependency is installed yet.
 * This file only checks Node's version, in syntax that older ones can read, so that they get a
 * sentence and not a syntax error; the work is in scripts/setup/.
 */
const floor = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < floor[0] || (major === floor[0] && minor < floor[1])) {
  console.error(
    `setup  node       this is Node ${process.versions.node} (${process.execPath}); ` +
      `cronmesh needs ${floor.join('.')} or newer. Install it and start again.`,
  );
  process.exitCode = 1;
} else {
  void import('./setup/main.mjs').then((module) => module.main(process.argv.slice(2)));
}
