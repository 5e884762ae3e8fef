/**
 * Reading the process table and killing in one go: a process that bears a condemned run's id is
 * killed as soon as it is read, parents mostly before the children that they would start anew.
 * After that the newest numbers are looked at again and again for some milliseconds: a relay that
 * hands itself on from process to process is always among them, though not known at every look (in
 * the middle of an exec a process shows no environment).
 */
import {
  readLastPid,
  readProcess,
  readProcessTable,
  signalProcess,
  type ProcessEntry,
} from './process-table.ts';

const chases = 30;
const chasedPids = 8;

/** Those killed are in the table. Undefined where there is none. */
export function readTableKilling(
  condemned: ReadonlySet<string>,
  spared: ReadonlySet<number>,
): readonly ProcessEntry[] | undefined {
  const isKilled = (entry: ProcessEntry): boolean => {
    if (entry.runId === undefined || !condemned.has(entry.runId)) return false;
    return !spared.has(entry.pid) && signalProcess(entry, 'SIGKILL');
  };
  if (condemned.size === 0) return readProcessTable();
  const table = readProcessTable(isKilled);
  if (table === undefined) return undefined;
  const met = new Set(table.map(({ pid }) => pid));
  for (let count = 0; count < chases; count += 1) {
    const last = readLastPid();
    for (let pid = last; pid > last - chasedPids && pid > 1; pid -= 1) {
      const entry = readProcess(pid);
      if (entry === undefined || !isKilled(entry) || met.has(pid)) continue;
      met.add(pid);
      table.push(entry);
    }
  }
  return table;
}
