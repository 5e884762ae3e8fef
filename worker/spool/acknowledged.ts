/**
 * How far the store has taken the log, in a small file that is replaced whole. It is a hint with a
 * checksum: when it is missing, old or damaged, records are sent again, which the store's
 * idempotency makes harmless; so it needs no sync of its own.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { Position } from './ledger.ts';

const fileName = 'acknowledged.json';
const schema = z.object({
  segment: z.number().int().nonnegative(),
  offset: z.number().int().nonnegative(),
  check: z.number(),
});

export async function readAcknowledged(directory: string): Promise<Position | undefined> {
  try {
    const text = await readFile(join(directory, fileName), 'utf8');
    const { segment, offset, check } = schema.parse(JSON.parse(text));
    return check === checkOf({ segment, offset }) ? { segment, offset } : undefined;
  } catch {
    return undefined;
  }
}

export async function writeAcknowledged(directory: string, position: Position): Promise<void> {
  const path = join(directory, fileName);
  const { segment, offset } = position;
  await writeFile(`${path}.new`, JSON.stringify({ segment, offset, check: checkOf(position) }));
  await rename(`${path}.new`, path);
}

function checkOf(position: Position): number {
  return crc32(`${String(position.segment)}/${String(position.offset)}`);
}
