/**
 * How long history is kept: the settings of the mesh, and what a job may say instead. One schema for
 * the job definition, the API and the key in etcd.
 */
import { z } from 'zod';

const fields = {
  maxAgeDays: z
    .number()
    .min(0.01)
    .max(36_500)
    .describe('Rows that ended, or whose tick was, longer ago than this go.'),
  maxRuns: z
    .int()
    .min(1)
    .max(10_000_000)
    .describe('Of each job so many of the newest rows stay, runs and fires that did not run.'),
  keepLastFailure: z
    .boolean()
    .describe('The newest run that failed, timed out or was lost stays, however old it is.'),
};

/** Of the mesh, for every job that says nothing else. */
export const retentionSchema = z.strictObject({
  maxAgeDays: fields.maxAgeDays.default(30),
  maxRuns: fields.maxRuns.default(10_000),
  keepLastFailure: fields.keepLastFailure.default(true),
});
export type Retention = z.output<typeof retentionSchema>;

/** Of one job; what it leaves out is as the mesh has it. */
export const jobRetentionSchema = z.strictObject({
  maxAgeDays: fields.maxAgeDays.optional(),
  maxRuns: fields.maxRuns.optional(),
  keepLastFailure: fields.keepLastFailure.optional(),
});
export type JobRetention = z.output<typeof jobRetentionSchema>;

export const defaultRetention: Retention = Object.freeze(retentionSchema.parse({}));

export function retentionOf(mesh: Retention, job: JobRetention | undefined): Retention {
  return {
    maxAgeDays: job?.maxAgeDays ?? mesh.maxAgeDays,
    maxRuns: job?.maxRuns ?? mesh.maxRuns,
    keepLastFailure: job?.keepLastFailure ?? mesh.keepLastFailure,
  };
}
