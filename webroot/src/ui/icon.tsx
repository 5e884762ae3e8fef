/** The console's own glyphs: 16 by 16, drawn with the text's colour. */
const paths = {
  jobs: 'M2.5 4h11M2.5 8h11M2.5 12h6.5',
  runs: 'M3 2.8v10.4l9.5-5.2Z',
  workers: 'M2.5 3h11v4h-11ZM2.5 9h11v4h-11ZM5 5h.01M5 11h.01',
  calendars: 'M2.5 4h11v9.5h-11ZM2.5 7h11M5.5 2.2V4M10.5 2.2V4M5.5 9.8h.01M8 9.8h.01M10.5 9.8h.01',
  plus: 'M8 3v10M3 8h10',
  play: 'M4.5 3v10l8-5Z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  resume: 'M3.5 3.5v9M7 3.5v9l6-4.5Z',
  edit: 'M10.8 2.7 13.3 5.2 5.5 13H3v-2.5ZM9 4.5 11.5 7',
  trash: 'M2.8 4.2h10.4M6 4V2.6h4V4M4.2 4.4l.6 9h6.4l.6-9M6.8 7v4M9.2 7v4',
  stop: 'M4 4h8v8H4Z',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.4 10.4 13.5 13.5',
  close: 'm4 4 8 8M12 4l-8 8',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  copy: 'M5.5 5.5h7.7v7.7H5.5ZM3 10.5V2.8h7.7',
  sun: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6Z',
  auto: 'M8 13.5a5.5 5.5 0 1 0 0-11ZM8 2.5a5.5 5.5 0 0 0 0 11',
  help: 'M5.8 6.2a2.2 2.2 0 1 1 3.3 1.9C8.3 8.6 8 9 8 9.8M8 12.3h.01',
  language:
    'M2 4h7M5.5 2.5V4M7.5 4C7 7 5 9 2.5 10M4 6c.8 1.8 2.5 3 4.5 3.6M8 13.5 11 6.5l3 7M9 11.5h4',
  back: 'M9.8 3.5 5.3 8l4.5 4.5',
  down: 'm3.5 6 4.5 4.5L12.5 6',
  up: 'm3.5 10 4.5-4.5 4.5 4.5',
  tail: 'M3 3h10M3 6.5h10M4.8 9.8 8 13l3.2-3.2',
  wrap: 'M2.5 4h11M2.5 8h8.5a2.3 2.3 0 0 1 0 4.6H8M9.8 10.8 8 12.6l1.8 1.8M2.5 12.6h2',
  download: 'M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13h10',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.5',
  globe:
    'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM2 8h12M8 2c2 2 2.5 4 2.5 6S10 12 8 14c-2-2-2.5-4-2.5-6S6 4 8 2',
  alert: 'M8 2.5 14.2 13.3H1.8ZM8 6.5v3M8 11.4h.01',
  right: 'm6.2 3.5 4.5 4.5-4.5 4.5',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}
