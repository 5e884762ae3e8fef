/**
 * What a worker remembers, on its own disk, of etcd's state: the cluster record that it worked under,
 * how far etcd had come, and the newest put that it had seen. A worker that starts after a restore compares it with what it finds: a
 * backup that was put back under the same cluster id shows in nothing else. It is a hint that may be
 * seconds old or gone, so it is written plainly and not synced.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Logger } from '../../shared/log.ts';

const rememberedSchema = z.object({
  v: z.literal(1),
  prefix: z.string(),
  /** Of the cluster record. */
  mesh: z.string(),
  generation: z.int(),
  id: z.string(),
  mark: z.object({ clusterId: z.string(), raftTerm: z.int(), revision: z.int() }),
  /** The newest put that was seen. */
  witness: z.object({ key: z.string(), revision: z.int(), digest: z.string() }).exactOptional(),
});
export type RememberedState = z.output<typeof rememberedSchema>;

export interface StateMemory {
  /** Undefined when there is none, or none that can be read. */
  read(): Promise<RememberedState | undefined>;
  /** Never throws: what cannot be noted is as if it had not been. */
  write(state: RememberedState): Promise<void>;
}

export function openStateMemory(file: string, logger: Logger): StateMemory {
  return {
    read: async () => {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
          logger.warn({ err: error, file }, 'what was known of etcd cannot be read');
        }
        return undefined;
      }
      const parsed = rememberedSchema.safeParse(parseJson(text));
      if (!parsed.success) logger.warn({ file }, 'what was known of etcd is damaged; ignored');
      return parsed.success ? parsed.data : undefined;
    },
    write: async (state) => {
      const next = `${file}.next`;
      try {
        await writeFile(next, JSON.stringify(state));
        await rename(next, file);
      } catch (error) {
        logger.warn({ err: error, file }, 'what is known of etcd could not be noted');
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
