/**
 * Reads the zone of a schedule: its name as IANA spells it, or the problem with it, with the zone
 * that was probably meant.
 */
import { renderGot } from '../errors.ts';
import type { FieldProblem } from '../errors.ts';
import { nearestText } from './near-text.ts';
import { plainZoneNames, spellZoneName, zoneAbbreviations } from './zone-name.ts';
import { isKnownZone, listZones } from './zone.ts';

export type ZoneReading =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly problem: FieldProblem };

export function readZone(text: string): ZoneReading {
  const name = spellZoneName(text);
  if (isKnownZone(name)) return { ok: true, name };
  return {
    ok: false,
    problem: {
      field: '/timezone',
      message: zoneFault(text),
      expected: 'the name of an IANA time zone, such as Europe/Berlin or UTC',
      got: renderGot(text),
    },
  };
}

function zoneFault(text: string): string {
  if (text === '') return 'The time zone is empty';
  if (/^(?:UTC|GMT)?[+-−]?\d/i.test(text)) {
    return 'An offset is not a time zone: it has no daylight-saving rules';
  }
  if (text.length > 64) return 'There is no time zone with so long a name';
  const meant = zoneMeant(text);
  return `There is no time zone of this name${meant === undefined ? '' : `. Did you mean ${meant}?`}`;
}

function zoneMeant(text: string): string | undefined {
  const abbreviated = zoneAbbreviations.get(text.toUpperCase());
  if (abbreviated !== undefined) return abbreviated;
  const typed = text.trim().replaceAll(' ', '_');
  const city = typed.slice(typed.lastIndexOf('/') + 1).toLowerCase();
  const names = [...listZones(), ...plainZoneNames];
  return (
    names.find((name) => name.toLowerCase() === typed.toLowerCase()) ??
    names.find((name) => name.slice(name.lastIndexOf('/') + 1).toLowerCase() === city) ??
    nearestText(typed, names)
  );
}
