/**
 * The spelling of IANA zone names, without asking any zone database: the same text is spelt the same
 * on every machine, whatever its ICU version, so canonical schedules can be compared as text. An
 * alias stays what the user wrote (`Asia/Calcutta` is not turned into `Asia/Kolkata`).
 */

/** Every IANA name without a slash. ICU also takes `IST`, `BST`, `PST`… as zones of its own choice: we do not. */
export const plainZoneNames: readonly string[] = [
  ...['CET', 'CST6CDT', 'Cuba', 'EET', 'EST', 'EST5EDT', 'Egypt', 'Eire', 'GB', 'GB-Eire', 'GMT'],
  ...['GMT+0', 'GMT-0', 'GMT0', 'Greenwich', 'HST', 'Hongkong', 'Iceland', 'Iran', 'Israel'],
  ...['Jamaica', 'Japan', 'Kwajalein', 'Libya', 'MET', 'MST', 'MST7MDT', 'NZ', 'NZ-CHAT', 'Navajo'],
  ...['PRC', 'PST8PDT', 'Poland', 'Portugal', 'ROC', 'ROK', 'Singapore', 'Turkey', 'UCT', 'UTC'],
  ...['Universal', 'W-SU', 'WET', 'Zulu'],
];

/** Names that ICU lists under an older spelling; offered beside what it lists. */
export const modernZoneNames: readonly string[] = [
  ...['Africa/Asmara', 'America/Argentina/Buenos_Aires', 'America/Argentina/Catamarca'],
  ...['America/Argentina/Cordoba', 'America/Argentina/Jujuy', 'America/Argentina/Mendoza'],
  ...['America/Atikokan', 'America/Indiana/Indianapolis', 'America/Kentucky/Louisville'],
  ...['America/Nuuk', 'Asia/Ho_Chi_Minh', 'Asia/Kathmandu', 'Asia/Kolkata', 'Asia/Yangon'],
  ...['Atlantic/Faroe', 'Europe/Kyiv', 'Pacific/Chuuk', 'Pacific/Kanton', 'Pacific/Pohnpei'],
];

/** What people write when they mean a zone; only ever used in a "did you mean". */
export const zoneAbbreviations: ReadonlyMap<string, string> = new Map([
  ['AEDT', 'Australia/Sydney'],
  ['AEST', 'Australia/Sydney'],
  ['BST', 'Europe/London'],
  ['CDT', 'America/Chicago'],
  ['CEST', 'Europe/Berlin'],
  ['CST', 'America/Chicago'],
  ['EDT', 'America/New_York'],
  ['EEST', 'Europe/Kyiv'],
  ['IST', 'Asia/Kolkata'],
  ['JST', 'Asia/Tokyo'],
  ['KST', 'Asia/Seoul'],
  ['MDT', 'America/Denver'],
  ['MSK', 'Europe/Moscow'],
  ['NZDT', 'Pacific/Auckland'],
  ['NZST', 'Pacific/Auckland'],
  ['PDT', 'America/Los_Angeles'],
  ['PST', 'America/Los_Angeles'],
  ['Z', 'UTC'],
]);

const plainByLowerCase = new Map(plainZoneNames.map((name) => [name.toLowerCase(), name]));

/** Words of a slashed name that are not simply capitalised. */
const oddWords = new Map(
  [
    ...['ACT', 'au', 'BajaNorte', 'BajaSur', 'ComodRivadavia', 'DeNoronha', 'DumontDUrville'],
    ...[
      'EasterIsland',
      'es',
      'GMT',
      'GMT0',
      'IN',
      'LHI',
      'McMurdo',
      'NSW',
      'of',
      'UCT',
      'US',
      'UTC',
    ],
  ].map((word) => [word.toLowerCase(), word]),
);

/** The name in the case the IANA database writes it: `europe/berlin` to `Europe/Berlin`. Says nothing about whether there is such a zone. */
export function spellZoneName(text: string): string {
  const lower = text.toLowerCase();
  if (!lower.includes('/')) return plainByLowerCase.get(lower) ?? text;
  return lower.replaceAll(
    /[^/_+-]+/g,
    (word) => oddWords.get(word) ?? word.charAt(0).toUpperCase() + word.slice(1),
  );
}
