/**
 * The mark, and the master's time around it: sixty ticks, the current second lit. When the page is
 * cut off the ticks go dark, so a stale page shows it in the corner of the eye.
 */
import { formatClock } from '../format/instant.ts';
import { useNow } from '../live/use-now.ts';

const ticks = Array.from({ length: 60 }, (_, second) => {
  const angle = (second / 60) * 2 * Math.PI;
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const inner = second % 5 === 0 ? 15.8 : 17;
  return {
    second,
    x1: 21 + inner * sin,
    y1: 21 - inner * cos,
    x2: 21 + 19 * sin,
    y2: 21 - 19 * cos,
  };
});

export function BrandClock({ live }: { readonly live: boolean }) {
  const now = useNow();
  const second = Math.floor(now / 1000) % 60;
  return (
    <svg
      className={live ? 'brand-clock live' : 'brand-clock'}
      viewBox="0 0 42 42"
      aria-hidden="true"
    >
      {ticks.map(({ second: at, ...tick }) => (
        <line
          key={at}
          {...tick}
          className={at === second ? 'now' : at < second ? 'past' : undefined}
        />
      ))}
      <path className="hex" d="M21 11.5 29.2 16.2v9.6L21 30.5l-8.2-4.7v-9.6Z" />
      <circle className="node" cx="21" cy="11.5" r="2.3" />
      <circle className="node" cx="29.2" cy="25.8" r="2.3" />
      <circle className="node" cx="12.8" cy="25.8" r="2.3" />
      <circle className="core" cx="21" cy="21" r="2.6" />
    </svg>
  );
}

export function ClockText({ label }: { readonly label: string }) {
  const now = useNow();
  return (
    <time className="clock-text num" title={label}>
      {formatClock(now)}
    </time>
  );
}
