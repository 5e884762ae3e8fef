/**
 * The whole environment of a run: a clean base, the job's own variables, and what the mesh says of
 * the run. Nothing of the worker's own environment leaks in.
 */
import os from 'node:os';
import type { Job } from '../../shared/job/definition.ts';
import type { FireValue } from '../../shared/protocol/values.ts';

const basePath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What every run gets; made once per worker from the user it runs as. */
export function createBaseEnvironment(path: string | undefined): Readonly<Record<string, string>> {
  const user = os.userInfo();
  return Object.freeze({
    PATH: path ?? basePath,
    HOME: user.homedir,
    USER: user.username,
    LOGNAME: user.username,
    LANG: 'C.UTF-8',
  });
}

export function runEnvironment(
  base: Readonly<Record<string, string>>,
  job: Job,
  fire: FireValue,
  fence: number,
): Record<string, string> {
  return {
    ...base,
    SHELL: job.shell,
    ...job.env,
    CRON_JOB: job.name,
    CRON_RUN_ID: fire.runId,
    CRON_TICK: String(fire.tick),
    CRON_ATTEMPT: String(fire.attempt),
    CRON_FENCE: String(fence),
  };
}
