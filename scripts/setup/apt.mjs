/**
 * The system's packages, by apt. Two ways: unpack a package into the cache folder (no root, and
 * nothing of the system changes), or install it (root, or sudo without a password) with its
 * services neither started nor enabled. Every method throws an Error in words. Lists are updated
 * once at most; packages that were planned are installed in one call.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { cacheFolder } from './cache.mjs';
import { findOnPath, run } from './command.mjs';

const updateSeconds = 120;
const downloadSeconds = 120;
const installSeconds = 420;

// Waiting for another apt to be done is right; waiting long for a server is not.
const options = [
  ['DPkg::Lock::Timeout', '60'],
  ['Acquire::Retries', '1'],
  ['Acquire::http::Timeout', '10'],
  ['Acquire::https::Timeout', '10'],
].flatMap(([name, value]) => ['-o', `${name}=${value}`]);

/**
 * Run by root; the packages are its arguments. policy-rc.d is how Debian's maintainer scripts ask
 * whether they may start a service; one of ours left by a killed run is known by its second line.
 */
const installScript = `
guard=/usr/sbin/policy-rc.d
mark='# cronmesh set-up, temporary'
restore() {
  rm -f "$guard"
  [ ! -e "$guard.cronmesh-saved" ] || mv "$guard.cronmesh-saved" "$guard"
}
if grep -qsF "$mark" "$guard"; then restore; fi
if [ -e "$guard" ]; then mv "$guard" "$guard.cronmesh-saved"; fi
trap restore EXIT
trap 'exit 130' INT TERM HUP
printf '#!/bin/sh\\n%s\\nexit 101\\n' "$mark" > "$guard" && chmod 755 "$guard" || exit 1
DEBIAN_FRONTEND=noninteractive timeout ${installSeconds} apt-get ${options.join(' ')} -y -q --no-install-recommends install "$@" < /dev/null
code=$?
# Not started now, nor at the next boot.
if [ $code = 0 ] && command -v systemctl > /dev/null; then
  for package in "$@"; do
    case $package in
      etcd-server) systemctl disable etcd.service > /dev/null 2>&1 || true ;;
      nginx-light) systemctl disable nginx.service > /dev/null 2>&1 || true ;;
    esac
  done
fi
exit $code
`;

export class Apt {
  #planned = new Set();
  #installed = new Map();
  #privateUpdate;
  #systemUpdate;

  /** Says that `name` will be wanted, so that one call installs all. */
  plan(name) {
    this.#planned.add(name);
  }

  /** Downloads the package and unpacks its files under `folder`, without its dependencies. */
  async unpack(name, folder, announce) {
    this.#needApt();
    announce(`fetching the package ${name}`);
    await mkdir(folder, { recursive: true });
    const got = hasLists('/var/lib/apt/lists') ? await this.#download(name, folder, []) : undefined;
    if (got?.ok !== true) {
      const privately = await this.#privateOptions();
      const second = await this.#download(name, folder, privately);
      if (!second.ok) throw new Error(aptWhy(second));
    }
    const deb = (await readdir(folder)).find((file) => file.endsWith('.deb'));
    if (deb === undefined) throw new Error('apt-get download left no package');
    const unpacked = await run('dpkg-deb', ['-x', join(folder, deb), folder]);
    if (!unpacked.ok) throw new Error(unpacked.why);
    await rm(join(folder, deb));
  }

  /** Installs the package, and those planned with it; the services they bring stay off. */
  async install(name, announce) {
    this.#needApt();
    const asRoot = await this.#asRoot();
    this.#planned.add(name);
    if (!this.#installed.has(name)) {
      const wanted = [...this.#planned].filter((planned) => !this.#installed.has(planned));
      announce(`installing ${wanted.join(', ')}`);
      await this.#installAll(wanted, asRoot);
    }
    const why = this.#installed.get(name);
    if (why !== '') throw new Error(why);
  }

  async #installAll(names, asRoot) {
    if (!hasLists('/var/lib/apt/lists')) await this.#updateSystem(asRoot);
    let result = await this.#runInstall(names, asRoot);
    if (!result.ok && this.#systemUpdate === undefined) {
      // The lists may be older than the packages that the server still has.
      await this.#updateSystem(asRoot);
      result = await this.#runInstall(names, asRoot);
    }
    for (const name of names) this.#installed.set(name, result.ok ? '' : aptWhy(result));
    if (result.ok || names.length === 1) return;
    // One that cannot be had must not keep the others away.
    for (const name of names) {
      const alone = await this.#runInstall([name], asRoot);
      this.#installed.set(name, alone.ok ? '' : aptWhy(alone));
    }
  }

  #runInstall(names, asRoot) {
    const [command, ...args] = [...asRoot, 'sh', '-c', installScript, 'sh', ...names];
    return run(command, args, { limitSeconds: installSeconds + 30 });
  }

  #updateSystem(asRoot) {
    const [command, ...args] = [...asRoot, 'apt-get', ...options, '-q', 'update'];
    this.#systemUpdate ??= run(command, args, { limitSeconds: updateSeconds });
    return this.#systemUpdate;
  }

  #download(name, folder, more) {
    const args = [...options, ...more, '-q', 'download', name];
    return run('apt-get', args, { cwd: folder, limitSeconds: downloadSeconds });
  }

  /** Lists of our own beside the fetched programs; the system's need root to be brought up. */
  #privateOptions() {
    this.#privateUpdate ??= (async () => {
      const folder = join(await cacheFolder(), 'apt');
      await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
      await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
      const more = [
        ['Dir::State::lists', join(folder, 'lists')],
        ['Dir::Cache', join(folder, 'cache')],
        ['APT::Sandbox::User', 'root'],
        ['Debug::NoLocking', 'true'],
      ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
      const updated = await run('apt-get', [...options, ...more, '-q', 'update'], {
        limitSeconds: updateSeconds,
      });
      if (!updated.ok) throw new Error(`apt-get update: ${aptWhy(updated)}`);
      return more;
    })();
    return this.#privateUpdate;
  }

  #needApt() {
    if (findOnPath(['apt-get']) === undefined) throw new Error('there is no apt-get here');
  }

  async #asRoot() {
    if (process.getuid() === 0) return [];
    if (findOnPath(['sudo']) === undefined) throw new Error('not root, and there is no sudo');
    const allowed = await run('sudo', ['-n', 'true'], { limitSeconds: 10 });
    if (!allowed.ok) throw new Error('not root, and sudo asks for a password');
    return ['sudo', '-n'];
  }
}

function hasLists(folder) {
  return existsSync(folder) && readdirSync(folder).some((file) => file.includes('_Packages'));
}

/** apt's own errors, without the chatter around them. */
function aptWhy(result) {
  const errors = result.stderr.split('\n').filter((line) => line.startsWith('E: '));
  return errors.length === 0 ? result.why : errors.slice(0, 4).join('\n');
}
