/**
 * The output pane: tail, search, wrap, download. Following stops when one scrolls up and starts
 * again at the end, so that nothing moves while it is being read.
 */
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { formatBytes } from '../format/bytes.ts';
import { useMessages } from '../i18n/language.ts';
import { readPreference, writePreference } from '../preferences.ts';
import { isTyping } from '../shell/keys.ts';
import { Icon } from '../ui/icon.tsx';
import { DownloadButton } from './download-button.tsx';
import { runMessages } from './messages.ts';
import type { OutputFeed } from './output-feed.ts';
import { OutputRows } from './output-rows.tsx';
import { OutputSearchField } from './output-search-field.tsx';
import { useOutputSearch } from './use-output-search.ts';
import './output-view.css';
import './ansi-colours.css';

const nearEndPx = 24;
/** A wheel, a finger, a key or a pressed button moves the pane for about so long. */
const handMs = 400;

interface OutputViewProps {
  readonly runId: string;
  readonly feed: OutputFeed;
  readonly open: boolean;
  /** Bytes before the first one that was asked for. */
  readonly leftOutBytes: number;
  readonly shownBytes: number;
  readonly truncated: boolean;
  /** Nobody knows what it wrote after the last byte. */
  readonly cut: boolean;
}

export function OutputView(props: OutputViewProps) {
  const { runId, feed, open, leftOutBytes, shownBytes, truncated, cut } = props;
  const text = useMessages(runMessages);
  const state = useSyncExternalStore(feed.subscribe, feed.get);
  const scroller = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const touchedAt = useRef(Number.NEGATIVE_INFINITY);
  const [follow, setFollow] = useState(true);
  const [wrap, setWrap] = useState(() => readPreference('wrap') === 'yes');
  const search = useOutputSearch(feed, state);
  const { lines, dropped } = feed.text;
  // The last line is empty when the output ends with a line feed: nobody calls that a line.
  const last = lines.at(-1);
  const shown = last?.segments.length === 0 ? lines.slice(0, -1) : lines;

  function toggleWrap(): void {
    setWrap(!wrap);
    writePreference('wrap', wrap ? undefined : 'yes');
  }

  function lookFor(query: string): void {
    // The match is what is to be seen now, not the end.
    if (query !== '') setFollow(false);
    search.setQuery(query);
  }

  function stepSearch(by: 1 | -1): void {
    setFollow(false);
    search.step(by);
  }

  function onScroll(): void {
    const pane = scroller.current;
    if (!pane) return;
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < nearEndPx;
    // Rows that are measured move the pane too; only a hand on it means that someone reads.
    const byHand = performance.now() - touchedAt.current < handMs;
    if (atEnd) setFollow(true);
    else if (byHand && pane.scrollTop < lastTop.current) setFollow(false);
    lastTop.current = pane.scrollTop;
  }

  useEffect(() => {
    const pane = scroller.current;
    if (!pane) return undefined;
    const leave = new AbortController();
    const options = { passive: true, signal: leave.signal };
    const onHand = (): void => {
      touchedAt.current = performance.now();
    };
    for (const kind of ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const) {
      pane.addEventListener(kind, onHand, options);
    }
    const onDrag = ({ buttons }: PointerEvent): void => {
      if (buttons > 0) onHand();
    };
    pane.addEventListener('pointermove', onDrag, options);
    return () => leave.abort();
  }, []);

  useEffect(() => {
    function onKey(event: KeyboardEvent): void {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === 'f') setFollow((on) => !on);
      else if (event.key === 'w') toggleWrap();
    }
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });

  return (
    <section className="output panel" aria-label={text.output}>
      <div className="output-bar">
        <h2>{text.output}</h2>
        <span className="muted num">{text.lines(dropped + shown.length)}</span>
        {open && state.status === 'streaming' && <span className="chip live">{text.live}</span>}
        <OutputSearchField search={search} onQuery={lookFor} onStep={stepSearch} />
        <button
          type="button"
          className="button small"
          aria-pressed={follow}
          title={text.followTitle}
          data-testid="follow"
          onClick={() => setFollow(!follow)}
        >
          <Icon name="tail" size={14} />
          {text.follow}
        </button>
        <button
          type="button"
          className="button small"
          aria-pressed={wrap}
          title={text.wrapTitle}
          data-testid="wrap"
          onClick={toggleWrap}
        >
          <Icon name="wrap" size={14} />
          {text.wrap}
        </button>
        <DownloadButton runId={runId} />
      </div>
      {leftOutBytes > 0 && (
        <p className="output-note">{text.headLeftOut(formatBytes(shownBytes))}</p>
      )}
      {dropped > 0 && <p className="output-note">{text.rowsLeftOut(dropped)}</p>}
      {state.status === 'broken' && <p className="output-note">{text.broken}</p>}
      <div className="output-pane">
        <div
          ref={scroller}
          className="output-scroll"
          data-testid="run-output"
          role="log"
          aria-live="off"
          aria-label={text.output}
          // A pane that scrolls must be reachable with the keyboard.
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}
          onScroll={onScroll}
        >
          {shown.length === 0 ? (
            <p className="output-empty">
              {state.status === 'connecting'
                ? text.connecting
                : open
                  ? text.noOutputYet
                  : text.noOutput}
            </p>
          ) : (
            <OutputRows
              scroller={scroller}
              lines={shown}
              dropped={dropped}
              wrap={wrap}
              follow={follow}
              search={search.search}
              current={search.current}
              stderrLabel={text.stderr}
            />
          )}
        </div>
        {!follow && open && (
          <button type="button" className="button small to-end" onClick={() => setFollow(true)}>
            <Icon name="down" size={14} />
            {text.toEnd}
          </button>
        )}
      </div>
      {cut && <p className="output-note">{text.cut}</p>}
      {truncated && <p className="output-note">{text.truncated}</p>}
    </section>
  );
}
