/** A calendar as it is stored, one line of JSON without what is default; and what an edit changes. */
import type { Calendar } from '../../shared/calendar/definition.ts';
import type { FieldChange } from '../jobs/definition-text.ts';

const fieldNames = ['schemaVersion', 'name', 'description', 'mode', 'dates'] as const;

export function calendarText(calendar: Calendar): string {
  const { description, ...rest } = calendar;
  const kept = description === '' ? rest : { ...rest, description };
  return JSON.stringify(kept, [...fieldNames]);
}

/** Field by field; `before` is undefined when the calendar is new. */
export function calendarChanges(before: Calendar | undefined, after: Calendar): FieldChange[] {
  return fieldNames
    .filter((field) => JSON.stringify(before?.[field]) !== JSON.stringify(after[field]))
    .filter((field) => before !== undefined || field !== 'description' || after[field] !== '')
    .map((field) => ({
      field: `/${field}`,
      ...(before?.[field] === undefined ? {} : { before: before[field] }),
      ...(after[field] === undefined ? {} : { after: after[field] }),
    }));
}
