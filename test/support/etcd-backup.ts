/**
 * Backups of a test etcd of one member, and their restore on the same ports: as etcd's own tools do it
 * (a snapshot, restored under another cluster id or the same), and as people do it who copy the data
 * folder of a stopped server.
 */
import { execFile } from 'node:child_process';
import { cp, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { EtcdMember } from './etcd-server.ts';
import { findProgram } from './programs.ts';

/** Asks the running server for a snapshot, as `etcdctl snapshot save` does. */
export async function saveSnapshot(member: EtcdMember, file: string): Promise<void> {
  const response = await fetch(`${member.endpoint}/v3/maintenance/snapshot`, {
    method: 'POST',
    body: '{}',
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd made no snapshot: ${text}`);
  const blobs = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { result: { blob?: string } }).result.blob ?? '');
  await writeFile(file, Buffer.concat(blobs.map((blob) => Buffer.from(blob, 'base64'))));
}

/**
 * Stops the server and starts it from the snapshot. With a token of its own the restored cluster has
 * another id; with the one that it was founded with, the id is what it was.
 */
export async function restoreSnapshot(
  member: EtcdMember,
  file: string,
  token?: string,
): Promise<void> {
  await member.stop();
  const restored = `${member.dataDir}.restored`;
  const flag = (name: string): string => member.args[member.args.indexOf(name) + 1] ?? '';
  await promisify(execFile)(
    findProgram('etcdctl'),
    [
      ['snapshot', 'restore', file],
      ['--data-dir', restored],
      ['--name', member.name],
      ['--initial-cluster', flag('--initial-cluster')],
      ['--initial-advertise-peer-urls', flag('--initial-advertise-peer-urls')],
      ['--initial-cluster-token', token ?? flag('--initial-cluster-token')],
    ].flat(),
    { env: { ...process.env, ETCDCTL_API: '3' } },
  );
  await rm(member.dataDir, { recursive: true, force: true });
  await rename(restored, member.dataDir);
  await member.restart();
}

/** Stops the server, copies its data folder, and starts it again. */
export async function copyCold(member: EtcdMember, folder: string): Promise<void> {
  await member.stop();
  await cp(member.dataDir, folder, { recursive: true });
  await member.restart();
}

/** Stops the server and puts the copied folder in the place of its data. */
export async function putBack(member: EtcdMember, folder: string): Promise<void> {
  await member.stop();
  await rm(member.dataDir, { recursive: true, force: true });
  await cp(folder, member.dataDir, { recursive: true });
  await member.restart();
}
