/**
 * What must be so once everything works again, nothing is due any more and time has passed: etcd is
 * empty of what passes, every spool is empty, and history tells of every settlement just what etcd
 * said of it, and of nothing else.
 */
import type { HistoryRow } from '../../shared/history/records.ts';
import type { EtcdStore } from './etcd-store.ts';
import type { SimWorker } from './fleet.ts';
import { parse, root, text } from './commit-changes.ts';
import type { Settlement } from './accounts.ts';
import type { Ledger } from './ledger.ts';
import type { Json } from './job-book.ts';
import type { RunOracle } from './run-oracle.ts';
import { scheduleOfExpression, textOf } from './schedules.ts';
import type { SimStore } from './sim-spool.ts';
import type { Violations } from './violations.ts';

const passing = ['lock/', 'slot/', 'done/', 'trigger/'];

interface Finals {
  readonly etcd: EtcdStore;
  readonly history: SimStore;
  readonly ledger: Ledger;
  readonly oracle: RunOracle;
  readonly workers: readonly SimWorker[];
}

/** What is still there that should be gone; empty when the mesh is quiet. */
export function leftovers({ etcd, oracle, workers }: Finals): string[] {
  const keys = passing.flatMap((folder) => etcd.withPrefix(root + folder).map(({ key }) => key));
  // Every order has its answer, and goes by itself; those of the mesh itself are gone with their runs.
  const orders = etcd.withPrefix(`${root}killer/`).flatMap(({ key, value, lease }) => {
    const answer = parse(value)['answer'] as Json | undefined;
    const isAnswered = answer?.['state'] === 'done' || answer?.['state'] === 'nothing';
    return isAnswered && lease !== '0' ? [] : [`${key} without its answer`];
  });
  const spools = workers.flatMap(({ name, disk }) => [
    ...[...disk.held.keys()].map((id) => `${name} holds ${id}`),
    ...(disk.pending.length === 0 ? [] : [`${name} has not drained`]),
  ]);
  // Whatever happened to its session, a worker finds its way back to one by itself.
  const absent = workers.flatMap(({ name }) => {
    const value = etcd.get(`${root}workers/${name}`)?.value;
    const session = value === undefined ? '' : text(parse(value)['session']);
    const isBack = etcd.get(`${root}session/${session ?? ''}`) !== undefined;
    return isBack ? [] : [`${name} without a session`];
  });
  // Nothing of a deleted job remains but its tombstone.
  const states = etcd.withPrefix(`${root}state/`).flatMap(({ key }) => {
    const isOrphan = etcd.get(key.replace('/state/', '/jobs/')) === undefined;
    return isOrphan ? [key] : [];
  });
  const running = oracle.runningCount === 0 ? [] : [`${oracle.runningCount} runs`];
  return [...keys, ...states, ...orders, ...spools, ...absent, ...running, ...unlikeCursors(etcd)];
}

/** Every cursor counts what its job says, and that of a job that is gone is a tombstone. */
function unlikeCursors(etcd: EtcdStore): string[] {
  return etcd.withPrefix(`${root}cursor/`).flatMap(({ key, value }) => {
    const name = key.slice(`${root}cursor/`.length);
    const counted = value.toString().slice(17);
    const wanted = wantedSchedule(etcd.get(`${root}jobs/${name}`)?.value);
    return counted === wanted ? [] : [`cursor of ${name} counts ${counted}, not ${wanted}`];
  });
}

function wantedSchedule(value: Buffer | undefined): string {
  if (value === undefined) return 'x';
  try {
    const { cronExpr, timezone, enabled, calendars } = JSON.parse(value.toString()) as Record<
      string,
      unknown
    >;
    if (enabled === false || typeof cronExpr !== 'string') return '-';
    const schedule = scheduleOfExpression(cronExpr, timezone);
    if (schedule === undefined) return '-';
    return textOf({ schedule, calendars: (calendars ?? []) as readonly string[] });
  } catch {
    return '-';
  }
}

export function checkFinally(finals: Finals, violations: Violations): void {
  for (const what of leftovers(finals)) violations.report('after quiet nothing is left', what);
  const { ledger, history, oracle } = finals;
  const told = new Map<string, Settlement>();
  for (const settlement of ledger.settlements) {
    const { rowId } = settlement;
    const former = told.get(rowId);
    // What a restored etcd no longer knew may be told of again; what history has of it stands.
    if (former?.isForgotten === true && isWeaker(settlement, former)) continue;
    if (former !== undefined && former.isForgotten !== true)
      violations.report('one settlement a fire', `${rowId} was settled twice`);
    told.set(rowId, settlement);
    const row = history.row(rowId);
    const isOpen = former?.isForgotten === true || isUncertain(settlement, row);
    const problem = isOpen ? '' : compare(settlement, row);
    if (problem !== '') {
      violations.report('history agrees with etcd', `${settlement.name}: ${rowId}: ${problem}`);
    }
  }
  for (const row of history.rows()) {
    // Of a run before a restore, etcd may know nothing any more.
    const isOfBefore = (ledger.firesByRun.get(row.id)?.timeline ?? Infinity) < ledger.timeline;
    if (!told.has(row.id) && !isOfBefore) {
      const what = `${row.job}: ${row.id} (${row.outcome ?? 'running'}: ${row.reason ?? ''})`;
      violations.report('history tells only of what was settled', what);
    }
    oracle.checkOrder(row.id, row.job, row.reason ?? '');
    oracle.checkOrder(row.id, row.job, row.lateResult?.reason ?? '');
  }
}

/** A fire that a backup showed as open says less of its run than any settlement before. */
function isWeaker({ value }: Settlement, former: Settlement): boolean {
  return value['restored'] === true || former.kind === 'not-run';
}

/**
 * Of what etcd forgot, a run's own end must be in history all the same. A record that was on its way
 * to a spool may have been lost with etcd, and a run that a backup showed as open may have ended in
 * any way, but has ended.
 */
function isUncertain(
  { kind, value, isForgotten }: Settlement,
  row: HistoryRow | undefined,
): boolean {
  if (value['restored'] === true && kind === 'lost') return row?.outcome !== undefined;
  return isForgotten === true && kind !== 'ended';
}

function compare({ kind, outcome, value }: Settlement, row: HistoryRow | undefined): string {
  if (row === undefined) return `${kind} ${outcome}, and history knows nothing of it`;
  if (outcome === '') return row.outcome === undefined ? 'ended, and runs on in history' : '';
  if (row.outcome !== outcome) return `${outcome} in etcd, ${row.outcome ?? 'running'} in history`;
  if (kind !== 'not-run') return '';
  if (row.fromTick !== value['fromTick'] || row.tick !== value['toTick']) {
    return `another span: ${row.fromTick ?? 0} to ${row.tick}`;
  }
  const isSame = row.count === value['count'] && row.excluded === value['excluded'];
  return isSame ? '' : 'another count';
}
