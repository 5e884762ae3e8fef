/**
 * The table of all faults: from the rows that the tests left (one line of JSON each, see
 * test/support/fault-report.ts) to text, for the end of the stage and for .build/faults-report.txt.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const columns = [
  ['expected', 'expected'],
  ['ran', 'ran'],
  ['twice', 'twice'],
  ['missing', 'missing'],
  ['lost', 'lost'],
  ['missed', 'missed'],
  ['skipped', 'skipped'],
  ['unaccounted', 'unaccounted'],
  ['disagree', 'disagree'],
  ['overlapMs', 'overlap ms'],
];

const legend = `Fires, counted by the jobs themselves in a file outside the mesh and compared with history.
missing: never began; missed, skipped: what history says of those; unaccounted: it says nothing; lost:
runs that went with their worker; disagree: history says otherwise than the file, or twice. "-": not
what this fault is about.`;

/** Writes the report; resolves to its text, '' when no test left a row. */
export function writeFaultTable(root, rowsFile) {
  if (!existsSync(rowsFile)) return '';
  const rows = readFileSync(rowsFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = `${renderTable(rows)}\n\n${legend}\n`;
  mkdirSync(join(root, '.build'), { recursive: true });
  writeFileSync(join(root, '.build', 'faults-report.txt'), text);
  return text;
}

function renderTable(rows) {
  const nameWidth = Math.max(5, ...rows.map(({ name }) => name.length));
  const line = (name, cells, note) =>
    [name.padEnd(nameWidth), ...cells.map((cell, at) => cell.padStart(width(at))), note]
      .join('  ')
      .trimEnd();
  const width = (at) => columns[at][1].length;
  const sizes = [...new Set(rows.map(({ size }) => size))].join(', ');
  return [
    line(
      'fault',
      columns.map(([, title]) => title),
      `(${sizes} size)`,
    ),
    ...rows.map(({ name, figures, note }) =>
      line(
        name,
        columns.map(([figure]) => String(figures[figure] ?? '-')),
        note,
      ),
    ),
  ].join('\n');
}
