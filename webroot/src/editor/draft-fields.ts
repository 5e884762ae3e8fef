/** Which field of the editor an error of the master is about, by the pointer it names. */
import type { Draft } from './draft.ts';

const places: Readonly<Record<keyof Draft, string>> = {
  name: 'name',
  command: 'command',
  cronExpr: 'cronExpr',
  timezone: 'timezone',
  calendars: 'calendars',
  enabled: 'enabled',
  group: 'group',
  description: 'description',
  concurrency: 'concurrency',
  maxConcurrent: 'maxConcurrent',
  misfire: 'misfire',
  misfireLimit: 'misfireLimit',
  startDeadline: 'startDeadlineSeconds',
  retryMax: 'retries/max',
  retryOn: 'retries/on',
  retryBackoff: 'retries/backoffSeconds',
  retryMaxBackoff: 'retries/maxBackoffSeconds',
  timeout: 'timeoutSeconds',
  grace: 'killGraceSeconds',
  maxOutput: 'maxOutputBytes',
  historyAge: 'history/maxAgeDays',
  historyRuns: 'history/maxRuns',
  keepFailure: 'history/keepLastFailure',
  env: 'env',
  labels: 'labels',
  workingDirectory: 'workingDirectory',
  shell: 'shell',
};

const isField = (name: string): name is keyof Draft => name in places;
const fields = Object.keys(places).filter(isField);

/** `/env/FOO` is about `env`, the address's `name` about `name`; undefined: no field of the form. */
export function fieldAt(pointer: string): keyof Draft | undefined {
  const path = pointer.replace(/^\//, '');
  return fields.find((field) => path === places[field] || path.startsWith(`${places[field]}/`));
}
