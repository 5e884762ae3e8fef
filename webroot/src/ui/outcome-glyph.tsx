/**
 * One glyph an outcome, so that colour is never the only sign. Silhouettes differ too: filled disc,
 * octagon, square, clock, question, arrow, dashes.
 */
import { type ShownOutcome } from '../i18n/common-messages.ts';
import './outcome-glyph.css';

export type GlyphKind = ShownOutcome | 'paused' | 'quarantined' | 'none';

export function OutcomeGlyph({
  kind,
  size = 16,
}: {
  readonly kind: GlyphKind;
  readonly size?: number;
}) {
  return (
    <svg
      className={`outcome-glyph ${kind}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {shapeOf(kind)}
    </svg>
  );
}

function shapeOf(kind: GlyphKind) {
  switch (kind) {
    case 'succeeded':
      return (
        <>
          <circle className="area" cx="8" cy="8" r="6.5" />
          <path className="cut" d="m5.2 8.2 2 2 3.7-4.1" />
        </>
      );
    case 'failed':
      return (
        <>
          <path className="area" d="M5.4 1.6h5.2l3.8 3.8v5.2l-3.8 3.8H5.4L1.6 10.6V5.4Z" />
          <path className="cut" d="m5.8 5.8 4.4 4.4M10.2 5.8 5.8 10.2" />
        </>
      );
    case 'killed':
      return (
        <>
          <rect className="area" x="2" y="2" width="12" height="12" rx="2.5" />
          <path className="cut" d="M6 6h4v4H6Z" />
        </>
      );
    case 'timed-out':
      return (
        <>
          <circle className="area" cx="8" cy="8" r="6.5" />
          <path className="cut" d="M8 4.8V8.2l2.3 1.5" />
        </>
      );
    case 'lost':
      return (
        <>
          <path className="area" d="M8 1.2 14.8 8 8 14.8 1.2 8Z" />
          <path className="cut" d="M6.5 6.4a1.5 1.5 0 1 1 2.2 1.4C8.1 8.1 8 8.4 8 9M8 11.1h.01" />
        </>
      );
    case 'skipped':
      return (
        <>
          <circle className="line" cx="8" cy="8" r="6" />
          <path className="line" d="m5.2 5.6 2.5 2.4-2.5 2.4M8.6 5.6 11.1 8l-2.5 2.4" />
        </>
      );
    case 'missed':
      return (
        <>
          <circle className="line" cx="8" cy="8" r="6" strokeDasharray="2.5 2.21" />
          <path className="line" d="M5.6 8h4.8" />
        </>
      );
    case 'running':
      return (
        <>
          <circle className="track" cx="8" cy="8" r="5.8" />
          <path className="line turning" d="M8 2.2A5.8 5.8 0 0 1 13.8 8" />
          <path className="solid" d="M6.6 5.5v5L10.8 8Z" />
        </>
      );
    case 'paused':
      return (
        <>
          <circle className="line" cx="8" cy="8" r="6" />
          <path className="line" d="M6.5 6v4M9.5 6v4" />
        </>
      );
    case 'quarantined':
      return (
        <>
          <path className="area" d="M8 1.5 15 14H1Z" />
          <path className="cut" d="M8 6v3.6M8 11.6h.01" />
        </>
      );
    case 'none':
      return <circle className="line" cx="8" cy="8" r="2.5" />;
    default:
      return kind satisfies never;
  }
}
