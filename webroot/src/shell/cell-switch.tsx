/**
 * Which cell this is, and the way to the others. Shown only where the master serves several: each is
 * a page of its own, so the links are plain ones and open in a new tab as well.
 */
import { useQuery } from '@tanstack/react-query';
import { type MouseEvent, useRef } from 'react';
import { roomInCell } from '../api/cell-path.ts';
import { currentCell } from '../api/cell.ts';
import { cellsQuery } from '../api/queries.ts';
import type { CellItem } from '../api/shapes.ts';
import { useMessages } from '../i18n/language.ts';
import { shellMessages } from './messages.ts';
import { passGuard } from './navigation-guard.ts';
import './cell-switch.css';

const menuId = 'cells';
const gapPx = 4;
const edgePx = 12;

export function CellSwitch() {
  const here = currentCell();
  return here === undefined ? null : <Switch here={here} />;
}

function Switch({ here }: { readonly here: string }) {
  const text = useMessages(shellMessages);
  const { data } = useQuery(cellsQuery);
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  if (data === undefined || data.items.length < 2) return null;

  /** Native popovers stand in the middle of the page unless they are told where. */
  function place(): void {
    if (!button.current || !menu.current) return;
    const { left, bottom } = button.current.getBoundingClientRect();
    menu.current.style.left = `${left}px`;
    menu.current.style.top = `${bottom + gapPx}px`;
    menu.current.style.maxWidth = `calc(100vw - ${left + edgePx}px)`;
  }

  return (
    <div className="cell-switch">
      <button
        ref={button}
        type="button"
        className="button"
        popoverTarget={menuId}
        aria-label={text.cellHere(here)}
        title={text.cellHere(here)}
        data-testid="cell"
      >
        <span>{here}</span>
      </button>
      <div
        ref={menu}
        id={menuId}
        popover="auto"
        className="cell-menu"
        role="group"
        aria-label={text.cells}
        onBeforeToggle={place}
      >
        {data.items.map((cell) => (
          <CellLink key={cell.name} cell={cell} here={here} />
        ))}
      </div>
    </div>
  );
}

function CellLink({ cell, here }: { readonly cell: CellItem; readonly here: string }) {
  const text = useMessages(shellMessages);
  const href = roomInCell(cell.name, location.pathname);

  function open(event: MouseEvent): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    passGuard(() => location.assign(roomInCell(cell.name, location.pathname)));
  }

  return (
    <a href={href} aria-current={cell.name === here ? 'true' : undefined} onClick={open}>
      <b>{cell.name}</b>
      <code>{cell.prefix}</code>
      <small>
        {cell.etcd === 'stale' ? text.etcdStale : text.cellCounts(cell.jobs, cell.running)}
      </small>
    </a>
  );
}
