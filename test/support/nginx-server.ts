/**
 * A real nginx with the site that we ship (systemd/nginx.conf), in the foreground, on a free port
 * of 127.0.0.1, with its own temporary folder. Only the addresses in the site are replaced: what
 * it listens on and the masters behind it.
 */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram, projectRoot } from './programs.ts';
import { freePort, ServerProcess, waitFor } from './server-process.ts';

const startAttempts = 3;
const readyTimeoutMs = 10_000;

export interface NginxServerOptions {
  /** Addresses as `host:port`, or URLs of which only host and port are taken. */
  readonly masters: readonly string[];
}

export interface NginxServer {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  /** The end of its error log. */
  readonly output: string;
  stop(): Promise<void>;
}

/** Starts nginx and resolves once it answers, whatever it answers. */
export async function startNginx(options: NginxServerOptions): Promise<NginxServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const folder = await writeNginxFolder(options.masters, port);
    const server = new ServerProcess(findProgram('nginx'), nginxArguments(folder));
    const url = `http://127.0.0.1:${String(port)}`;
    const stop = async (): Promise<void> => {
      // QUIT would wait for the live streams to end by themselves.
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    };
    try {
      await waitFor(
        () => {
          if (!server.running) throw new Error(`nginx ended:\n${server.output}`);
          return answers(url);
        },
        { timeoutMs: readyTimeoutMs, describe: () => `nginx answers; it said:\n${server.output}` },
      );
    } catch (error) {
      await stop();
      if (attempt < startAttempts && server.output.includes('Address already in use')) continue;
      throw error;
    }
    return {
      url,
      stop,
      get pid() {
        return server.pid;
      },
      get output() {
        return server.output;
      },
    };
  }
}

/** The arguments that make nginx use only what is in `folder`. */
export function nginxArguments(folder: string): string[] {
  return ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
}

/** Writes the shipped site, wrapped in the least nginx needs, into a new temporary folder. */
export async function writeNginxFolder(masters: readonly string[], port: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cronmesh-nginx-'));
  // As root its workers become `nobody`, who must reach the temporary files.
  await chmod(folder, 0o755);
  const shipped = await readFile(join(projectRoot(), 'systemd', 'nginx.conf'), 'utf8');
  await writeFile(join(folder, 'site.conf'), withAddresses(shipped, masters, port));
  const user = userInfo();
  await writeFile(
    join(folder, 'nginx.conf'),
    [
      ...(user.uid === 0 ? [`user ${user.username};`] : []),
      'daemon off;',
      'worker_processes 1;',
      'pid nginx.pid;',
      'error_log stderr notice;',
      'events { worker_connections 512; }',
      'http {',
      '  access_log off;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `  ${kind}_temp_path ${kind}_temp;`,
      ),
      '  include site.conf;',
      '}',
      '',
    ].join('\n'),
  );
  return folder;
}

function withAddresses(site: string, masters: readonly string[], port: number): string {
  const serverLine = /^( +)server \S+( .*)?;\n/gm;
  const lines = [...site.matchAll(serverLine)];
  const [first] = lines;
  if (first === undefined) throw new Error('systemd/nginx.conf has no `server` line');
  const servers = masters
    .map(
      (master) =>
        `    server ${master.replace(/^\w+:\/\//, '').replace(/\/.*$/, '')}${first[2] ?? ''};\n`,
    )
    .join('');
  let replaced = false;
  const withServers = site.replaceAll(serverLine, () => {
    if (replaced) return '';
    replaced = true;
    return servers;
  });
  const listenLine = /^( +)listen [^;]+;/m;
  if (!listenLine.test(withServers)) throw new Error('systemd/nginx.conf has no `listen` line');
  return withServers.replace(listenLine, `$1listen 127.0.0.1:${String(port)};`);
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${url}/livez`, (response) => {
      response.resume();
      resolve(true);
    });
    request.once('error', () => resolve(false));
    request.setTimeout(2_000, () => request.destroy());
  });
}
