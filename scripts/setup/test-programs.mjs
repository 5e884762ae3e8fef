/**
 * What only the tests need of the system: a browser, nginx, libfaketime, systemd-analyze, and etcd's
 * tool that restores backups. On
 * PATH, else from the system's packages. What has no root to install by is unpacked where that
 * is enough to run it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cacheFolder, fillCache } from './cache.mjs';
import { findOnPath, isExecutable, run } from './command.mjs';
import { cached, onPath, versionBy } from './programs.mjs';

const browserSeconds = 240;

export async function testPrograms(apt, root) {
  const cache = await cacheFolder();
  const advice = (name) =>
    `To go on: install the package ${name} (as root: apt-get install ${name}), then start again.`;
  return {
    chromium: {
      package: 'chromium',
      probe: versionBy(['--version', '--no-sandbox'], /(\d+(?:\.\d+)+)/),
      advice: advice('chromium'),
      sources: [
        onPath(['chromium', 'chromium-browser', 'google-chrome']),
        cachedBrowser(join(cache, 'browsers')),
        installed(apt, 'chromium', () => findOnPath(['chromium'], ['/usr/bin'])),
        {
          what: "playwright-core's own download",
          how: 'fetched',
          get: (announce) => fetchBrowser(join(cache, 'browsers'), root, announce),
        },
      ],
    },
    nginx: {
      package: 'nginx-light',
      probe: versionBy(['-v'], /nginx\/(\S+)/),
      advice: advice('nginx-light'),
      sources: [
        onPath(['nginx'], ['/usr/sbin', '/usr/local/sbin']),
        installed(apt, 'nginx-light', () => findOnPath(['nginx'], ['/usr/sbin'])),
      ],
    },
    etcdctl: {
      probe: versionBy(['version'], /version: (\d+\.\d+\.\d+)/),
      advice: advice('etcd-client'),
      sources: [
        // Releases keep it beside etcd; since 3.6 etcdctl itself restores no more.
        onPath(['etcdutl', 'etcdctl']),
        {
          what: 'etcdutl beside a fetched release of etcd',
          how: 'cached',
          get: async () => etcdutlIn(cache),
        },
        cached('package in the cache', join(cache, 'etcd-client-package', 'usr', 'bin', 'etcdctl')),
        {
          what: 'package etcd-client, unpacked into the cache',
          how: 'unpacked from the package',
          get: async (announce) => {
            const folder = await fillCache('etcd-client-package', (partial) =>
              apt.unpack('etcd-client', partial, announce),
            );
            return join(folder, 'usr', 'bin', 'etcdctl');
          },
        },
        installed(apt, 'etcd-client', () => findOnPath(['etcdctl'], ['/usr/bin'])),
      ],
    },
    faketime: {
      package: 'libfaketime',
      // A library: it works when a program that is run under it sees another year.
      probe: versionByFaketime,
      advice: advice('libfaketime'),
      sources: [
        {
          what: 'libfaketime.so.1 in /usr/lib',
          how: 'found',
          get: async () => faketimeLibrary('/usr/lib'),
        },
        {
          what: 'libfaketime in the cache',
          how: 'cached',
          get: async () => faketimeLibrary(join(cache, 'libfaketime', 'usr', 'lib')),
        },
        installed(apt, 'libfaketime', () => faketimeLibrary('/usr/lib')),
        {
          what: 'package libfaketime, unpacked into the cache',
          how: 'unpacked from the package',
          get: async (announce) => {
            const folder = await fillCache('libfaketime', (partial) =>
              apt.unpack('libfaketime', partial, announce),
            );
            return faketimeLibrary(join(folder, 'usr', 'lib'));
          },
        },
      ],
    },
    'systemd-analyze': {
      package: 'systemd',
      probe: versionBy(['--version'], /systemd (\S+)/),
      advice: advice('systemd'),
      sources: [
        onPath(['systemd-analyze']),
        installed(apt, 'systemd', () => findOnPath(['systemd-analyze'], ['/usr/bin'])),
      ],
    },
  };
}

function etcdutlIn(cache) {
  if (!existsSync(cache)) return undefined;
  const releases = readdirSync(cache).filter((name) => /^etcd-\d/.test(name));
  return releases.map((name) => join(cache, name, 'etcdutl')).find(isExecutable);
}

function installed(apt, name, find) {
  return {
    what: `package ${name}, installed`,
    how: 'installed',
    get: async (announce) => {
      await apt.install(name, announce);
      return find();
    },
  };
}

/** Debian keeps it in a folder named after the machine, such as x86_64-linux-gnu/faketime. */
function faketimeLibrary(lib) {
  if (!existsSync(lib)) return undefined;
  for (const folder of ['.', ...readdirSync(lib)]) {
    const path = join(lib, folder, 'faketime', 'libfaketime.so.1');
    if (existsSync(path)) return path;
  }
  return undefined;
}

async function versionByFaketime(path) {
  const env = { LD_PRELOAD: path, FAKETIME: '@2001-02-03 04:05:06' };
  const result = await run('date', ['+%Y'], { limitSeconds: 10, env });
  if (!result.ok) throw new Error(result.why);
  if (result.stdout.trim() !== '2001') throw new Error(`${path} does not change the time`);
  return 'works';
}

function cachedBrowser(folder) {
  return {
    what: `browser in the cache, ${folder}`,
    how: 'cached',
    get: async () => browserIn(folder),
  };
}

/** playwright puts each browser into <kind>-<revision>/<platform folder>/. */
function browserIn(folder) {
  if (!existsSync(folder)) return undefined;
  for (const file of readdirSync(folder, { recursive: true })) {
    const path = join(folder, file);
    if (/(^|\/)(chrome|headless_shell|chrome-headless-shell)$/.test(file) && isExecutable(path)) {
      return path;
    }
  }
  return undefined;
}

async function fetchBrowser(folder, root, announce) {
  announce('fetching a Chromium');
  const cli = join(root, 'node_modules', 'playwright-core', 'cli.js');
  const result = await run(process.execPath, [cli, 'install', 'chromium-headless-shell'], {
    limitSeconds: browserSeconds,
    env: {
      PLAYWRIGHT_BROWSERS_PATH: folder,
      PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '5000',
    },
  });
  if (!result.ok) throw new Error(/Error: (.+)/.exec(result.stderr)?.[1] ?? result.why);
  return browserIn(folder);
}
