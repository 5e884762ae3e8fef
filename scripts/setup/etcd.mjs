/**
 * etcd: the one on PATH; else one fetched before; else the official release, by pinned checksum;
 * else the system's package, unpacked into the cache, or, failing that, installed with its service
 * kept off (it would take the default port). CRONMESH_ETCD_RELEASES names a mirror of the releases.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { cacheFolder, download, fillCache, verifySha256 } from './cache.mjs';
import { findOnPath, run } from './command.mjs';
import { cached, onPath, versionBy } from './programs.mjs';

const release = {
  version: '3.6.14',
  base: 'https://github.com/etcd-io/etcd/releases/download',
  sha256: {
    x64: ['amd64', 'ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5'],
    arm64: ['arm64', 'fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e'],
  },
};
const oldest = [3, 4];

const runProbe = versionBy(['--version'], /etcd Version: (\d+\.\d+\.\d+)/, {
  // Before 3.5, etcd on ARM runs only when told that one knows.
  ETCD_UNSUPPORTED_ARCH: process.arch,
});

async function probe(path) {
  const version = await runProbe(path);
  const [major, minor] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw new Error(`it is ${version}; ${oldest.join('.')} or newer is needed`);
  }
  return version;
}

export async function etcdProgram(apt) {
  const cache = await cacheFolder();
  const releaseName = `etcd-${release.version}`;
  const packageName = 'etcd-server';
  const packageFolder = `${packageName}-package`;
  const releaseUrl = urlOfRelease();
  return {
    probe,
    advice:
      'To go on: put etcd 3.4 or newer on PATH (its releases: https://github.com/etcd-io/etcd/releases),\n' +
      'or set CRONMESH_ETCD to one that is running, such as http://127.0.0.1:2379.',
    sources: [
      onPath(['etcd']),
      cached(`release ${release.version} in the cache`, join(cache, releaseName, 'etcd')),
      cached('package in the cache', join(cache, packageFolder, 'usr', 'bin', 'etcd')),
      {
        what: `official release, ${releaseUrl}`,
        how: 'fetched',
        get: (announce) => fetchRelease(releaseName, releaseUrl, announce),
      },
      {
        what: `package ${packageName}, unpacked into the cache`,
        how: 'unpacked from the package',
        get: async (announce) => {
          const folder = await fillCache(packageFolder, (partial) =>
            apt.unpack(packageName, partial, announce),
          );
          return join(folder, 'usr', 'bin', 'etcd');
        },
      },
      {
        what: `package ${packageName}, installed`,
        how: 'installed, with its service off,',
        get: async (announce) => {
          await apt.install(packageName, announce);
          return findOnPath(['etcd'], ['/usr/bin']);
        },
      },
    ],
  };
}

function urlOfRelease() {
  const base = (process.env.CRONMESH_ETCD_RELEASES || release.base).replace(/\/+$/, '');
  const platform = `${process.platform}-${release.sha256[process.arch]?.[0] ?? process.arch}`;
  return `${base}/v${release.version}/etcd-v${release.version}-${platform}.tar.gz`;
}

async function fetchRelease(name, url, announce) {
  const pinned = release.sha256[process.arch];
  if (process.platform !== 'linux' || pinned === undefined) {
    throw new Error(`no release is pinned for ${process.platform} on ${process.arch}`);
  }
  announce(`fetching ${url}`);
  const folder = await fillCache(name, async (partial) => {
    const archive = join(partial, 'release.tar.gz');
    await download(url, archive);
    await verifySha256(archive, pinned[1]);
    const unpacked = await run('tar', ['-xzf', archive, '-C', partial, '--strip-components=1']);
    if (!unpacked.ok) throw new Error(`tar: ${unpacked.why}`);
    await rm(archive);
  });
  return join(folder, 'etcd');
}
