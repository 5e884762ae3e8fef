/** Numbers over the history file. Each query names its index; the counts read nothing but it. */
import { z } from 'zod';
import {
  endedStates,
  type CountedRows,
  type CountsAsk,
  type DayCountsAsk,
  type DurationsAsk,
  type TimedRun,
} from '../stats.ts';
import type { HistoryFile, SqlValue } from './history-file.ts';
import type { Sql } from './read-rows.ts';

const counted = { state: z.string(), rows: z.int() };
const jobCountSchema = z.object({ key: z.string(), ...counted });
const dayCountSchema = z.object({ key: z.int(), ...counted });
const timedSchema = z.object({ job: z.string(), startedAt: z.int(), endedAt: z.int() });

export function countJobs(file: HistoryFile, ask: CountsAsk): CountedRows<string>[] {
  const { sql, values } = countJobsSql(ask);
  return z.array(jobCountSchema).parse(file.all(sql, values));
}

export function countDays(file: HistoryFile, ask: DayCountsAsk): CountedRows<number>[] {
  const { sql, values } = countDaysSql(ask);
  return z.array(dayCountSchema).parse(file.all(sql, values));
}

export function timedRuns(file: HistoryFile, ask: DurationsAsk): TimedRun[] {
  const { sql, values } = timedRunsSql(ask);
  return z.array(timedSchema).parse(file.all(sql, values));
}

/** All jobs one after the other, each found in the index: what is outside the window is not read. */
export function countJobsSql({ from, to, jobs }: CountsAsk): Sql {
  const names = `
    WITH RECURSIVE names(name) AS (
      SELECT min(job) FROM rows
      UNION ALL
      SELECT (SELECT min(r.job) FROM rows AS r INDEXED BY rows_by_job WHERE r.job > names.name)
      FROM names WHERE names.name IS NOT NULL)`;
  return {
    sql: `
      ${jobs === undefined ? names : 'WITH names(name) AS (SELECT value FROM json_each(?))'}
      SELECT r.job AS key, r.state AS state, count(*) AS rows
      FROM names CROSS JOIN rows AS r INDEXED BY rows_by_job
      WHERE r.job = names.name AND r.tick >= ? AND r.tick < ?
      GROUP BY r.job, r.state`,
    values: [...jobValues(jobs), from, to],
  };
}

export function countDaysSql({ from, to, jobs, offsetMs }: DayCountsAsk): Sql {
  const source =
    jobs === undefined
      ? 'rows AS r INDEXED BY rows_by_tick WHERE'
      : `json_each(?) AS v CROSS JOIN rows AS r INDEXED BY rows_by_job WHERE r.job = v.value AND`;
  return {
    sql: `
      SELECT (r.tick + CAST(? AS INTEGER)) / 86400000 AS key, r.state AS state, count(*) AS rows
      FROM ${source} r.tick >= ? AND r.tick < ? GROUP BY 1, 2`,
    values: [offsetMs, ...jobValues(jobs), from, to],
  };
}

export function timedRunsSql({ jobs, from, to, runs }: DurationsAsk): Sql {
  const states = endedStates.map((state) => `'${state}'`).join(', ');
  return {
    sql: `
      SELECT job, startedAt, endedAt FROM (
        SELECT w.job AS job, v.key AS place, w.tick AS tick, w.id AS id,
          coalesce(json_extract(w.parts, '$.startedAt'),
            json_extract(w.parts, '$.end.value.startedAt')) AS startedAt,
          json_extract(w.parts, '$.end.value.endedAt') AS endedAt
        FROM json_each(?) AS v CROSS JOIN rows AS w
        WHERE w.seq IN (
          SELECT r.seq FROM rows AS r INDEXED BY rows_by_job
          WHERE r.job = v.value AND r.tick >= ? AND r.tick < ? AND r.state IN (${states})
          ORDER BY r.tick DESC, r.id DESC LIMIT ?)
        -- A damaged row must not hide all the others.
        AND json_valid(w.parts))
      WHERE startedAt IS NOT NULL AND endedAt IS NOT NULL
      ORDER BY place, tick DESC, id DESC`,
    values: [JSON.stringify(jobs), from, to, runs],
  };
}

function jobValues(jobs: readonly string[] | undefined): SqlValue[] {
  return jobs === undefined ? [] : [JSON.stringify(jobs)];
}
