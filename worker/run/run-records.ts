/**
 * From what the worker knows of a run to what history is told of it.
 */
import { encodeCounted } from '../../shared/calendar/counted-text.ts';
import type { HistoryRecord, RanOutcome, RunEnd, RunFacts } from '../../shared/history/records.ts';
import type { DoneValue, NotRunValue, StateValue } from '../../shared/protocol/values.ts';
import type { RunResult } from '../executor/port.ts';
import type { WonFire } from '../schedule/fire-claims.ts';

export function factsOf(won: WonFire): RunFacts {
  const { entry, fire } = won;
  return {
    runId: fire.runId,
    job: entry.name,
    group: entry.job.group,
    cause: fire.cause,
    tick: fire.tick,
    fireId: won.fireId,
    attempt: fire.attempt,
    worker: fire.worker,
    fence: won.claimRevision,
    command: entry.job.command,
    ...(fire.by === undefined ? {} : { by: fire.by }),
  };
}

export function endOfResult(result: RunResult): RunEnd {
  return {
    outcome: outcomeOf(result),
    ...(result.reason === undefined ? {} : { reason: result.reason }),
    ...(result.startedAt === undefined ? {} : { startedAt: result.startedAt }),
    endedAt: result.endedAt,
    ...(result.exitCode === undefined ? {} : { exitCode: result.exitCode }),
    ...(result.signal === undefined ? {} : { signal: result.signal }),
    outputBytes: result.outputBytes,
    outputTruncated: result.outputTruncated,
  };
}

function outcomeOf(result: RunResult): RanOutcome {
  switch (result.endedBy) {
    case 'itself':
      return result.exitCode === 0 ? 'succeeded' : 'failed';
    case 'timeout':
      return 'timed-out';
    case 'kill':
    case 'refused':
      return 'killed';
    case 'fence':
      return 'lost';
    case 'guardian-lost':
    case 'spawn-error':
      return 'failed';
  }
}

export function lostEnd(reason: string, endedAt: number, outcome: RanOutcome): RunEnd {
  return { outcome, reason, endedAt, outputBytes: 0, outputTruncated: false };
}

/** A fire that was won and never ran; `session` is the one that empties the outbox of it. */
export function notStarted(
  { entry, fire, fireId }: WonFire,
  reason: string,
  at: number,
  session: string,
): { readonly doneId: string; readonly done: NotRunValue } {
  return {
    doneId: `skipped-${fire.jobCreate}-${fireId}`,
    done: {
      v: 1,
      outcome: 'skipped',
      reason,
      at,
      session,
      cause: fire.cause,
      group: entry.job.group,
      fromTick: fire.tick - 1,
      toTick: fire.tick,
      count: 1,
      schedule: encodeCounted(entry.schedule, entry.job.calendars),
      jobCreate: fire.jobCreate,
      fireId,
    },
  };
}

export function stateOf(facts: RunFacts, end: RunEnd): StateValue {
  return {
    v: 1,
    outcome: end.outcome,
    tick: facts.tick,
    runId: facts.runId,
    worker: facts.worker,
    endedAt: end.endedAt,
    ...(end.startedAt === undefined ? {} : { startedAt: end.startedAt }),
    ...(end.exitCode === undefined ? {} : { exitCode: end.exitCode }),
    ...(end.reason === undefined ? {} : { reason: end.reason }),
  };
}

/** Row id of fires that did not run: made from what it says, so that a repeat is the same row. */
function notRunId(name: string, doneId: string): string {
  return `${name}~${doneId}`;
}

/** What history is told of a `done` record; `command` is what the job said, as far as it is known. */
export function recordOfDone(
  name: string,
  doneId: string,
  done: DoneValue,
  command: string,
  worker: string,
): HistoryRecord {
  if (done.outcome === 'lost') {
    const { fire, fireId, fence, reason, at, restored } = done;
    const { runId, group, cause, tick, attempt, by } = fire;
    return {
      kind: 'run-lost',
      run: {
        runId,
        job: name,
        group,
        cause,
        tick,
        fireId,
        attempt,
        worker: fire.worker,
        fence,
        command,
        ...(by === undefined ? {} : { by }),
      },
      reason,
      at,
      ...(restored === undefined ? {} : { restored }),
    };
  }
  const { group, outcome, cause, reason, fromTick, toTick, schedule, at } = done;
  const { count, excepted, excluded, restored } = done;
  return {
    kind: 'not-run',
    id: notRunId(name, doneId),
    job: name,
    group,
    outcome,
    cause,
    reason,
    fromTick,
    toTick,
    ...(count === undefined ? {} : { count }),
    ...(excepted === undefined ? {} : { excepted }),
    ...(excluded === undefined ? {} : { excluded }),
    ...(restored === undefined ? {} : { restored }),
    schedule,
    at,
    worker,
  };
}
