/** What a process of no-spawn workers and the benchmark that forked it say to each other. */
import { z } from 'zod';

export const planSchema = z.object({
  endpoints: z.array(z.string()),
  prefix: z.string(),
  folder: z.string(),
  workers: z.array(z.object({ id: z.string(), slots: z.int() })),
});
export type Plan = z.output<typeof planSchema>;

export const askSchema = z.discriminatedUnion('ask', [
  /** What happened since it was last asked. */
  z.object({ ask: z.literal('starts') }),
  /** How late its timers are, now. */
  z.object({ ask: z.literal('timers'), count: z.int(), everyMs: z.number() }),
  z.object({ ask: z.literal('stop') }),
]);
export type Ask = z.output<typeof askSchema>;

const startSchema = z.object({
  job: z.string(),
  tick: z.number(),
  startedAt: z.number(),
  worker: z.string(),
});
export type WorkerStart = z.output<typeof startSchema>;

export const answerSchema = z.discriminatedUnion('answer', [
  z.object({ answer: z.literal('ready') }),
  z.object({
    answer: z.literal('starts'),
    starts: z.array(startSchema),
    counts: z.object({
      requests: z.int(),
      claims: z.int(),
      lostClaims: z.int(),
      cpuMs: z.number(),
    }),
  }),
  z.object({ answer: z.literal('timers'), lateMs: z.array(z.number()) }),
]);
export type Answer = z.output<typeof answerSchema>;
