/** Keys that work everywhere, except while typing or while a dialog is open. */
import { useEffect } from 'react';
import { useLocation } from 'wouter';
import { cycleTheme } from './theme.ts';

const chordMs = 1200;
const rooms: Readonly<Record<string, string>> = {
  j: '/',
  r: '/runs',
  w: '/workers',
  c: '/calendars',
};

export function useGlobalKeys(onHelp: () => void): void {
  const [, navigate] = useLocation();
  useEffect(() => {
    let goPressedAt = Number.NEGATIVE_INFINITY;
    function onKey(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
      const room = rooms[event.key];
      if (room !== undefined && event.timeStamp - goPressedAt < chordMs) {
        goPressedAt = Number.NEGATIVE_INFINITY;
        navigate(room);
        event.preventDefault();
        return;
      }
      const act = actions[event.key];
      if (!act) return;
      event.preventDefault();
      act(event);
    }
    const actions: Readonly<Record<string, (event: KeyboardEvent) => void>> = {
      '/': focusSearch,
      '?': onHelp,
      g: (event) => {
        goPressedAt = event.timeStamp;
      },
      n: () => navigate('/jobs/new'),
      t: cycleTheme,
      j: () => moveAlongRows(1),
      k: () => moveAlongRows(-1),
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [navigate, onHelp]);
}

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input, textarea, select'))
  );
}

function focusSearch(): void {
  const field = document.querySelector('[data-search]');
  if (!(field instanceof HTMLInputElement)) return;
  field.focus();
  field.select();
}

function moveAlongRows(step: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLElement>('[data-row-link]')];
  const current = links.findIndex((link) => link === document.activeElement);
  const next = links[current === -1 ? 0 : current + step];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}
