/** The frame: rooms at the side (below on a phone), which cell, how fresh the page is, theme, language, help. */
import { type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useStore } from '../external-store.ts';
import { setLanguage, useLanguage, useMessages } from '../i18n/language.ts';
import { connectionStore } from '../live/connection.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { BrandClock, ClockText } from './brand-clock.tsx';
import { CellSwitch } from './cell-switch.tsx';
import { shellMessages } from './messages.ts';
import { StaleBanner } from './stale-banner.tsx';
import { cycleTheme, themeStore } from './theme.ts';
import './shell.css';

interface ShellProps {
  readonly children: ReactNode;
  readonly onHelp: () => void;
  readonly onReconnect: () => void;
}

export function Shell({ children, onHelp, onReconnect }: ShellProps) {
  const text = useMessages(shellMessages);
  const connection = useStore(connectionStore);
  const fresh = connection.state !== 'cut' && connection.etcd === 'ok';
  return (
    <div className={fresh ? 'shell' : 'shell stale'}>
      <a className="skip-link button" href="#content">
        {text.skip}
      </a>
      <aside className="rail">
        <Link className="brand" href="/" aria-label="cronmesh">
          <BrandClock live={connection.state === 'live' && fresh} />
          <span>cronmesh</span>
        </Link>
        <CellSwitch />
        <nav aria-label={text.navigation}>
          <RailLink href="/" icon="jobs" label={text.jobs} rooms={['/', '/jobs']} />
          <RailLink href="/runs" icon="runs" label={text.runs} rooms={['/runs']} />
          <RailLink href="/workers" icon="workers" label={text.workers} rooms={['/workers']} />
          <RailLink
            href="/calendars"
            icon="calendars"
            label={text.calendars}
            rooms={['/calendars']}
          />
        </nav>
        <div className="rail-foot">
          <ConnectionStatus />
          <div className="rail-tools">
            <ThemeButton />
            <LanguageButton />
            <button
              type="button"
              className="button square quiet"
              aria-label={text.help}
              title={`${text.help} (?)`}
              onClick={onHelp}
            >
              <Icon name="help" />
            </button>
          </div>
        </div>
      </aside>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <StaleBanner onReconnect={onReconnect} />
    </div>
  );
}

interface RailLinkProps {
  readonly href: string;
  readonly icon: IconName;
  readonly label: string;
  readonly rooms: readonly string[];
}

function RailLink({ href, icon, label, rooms }: RailLinkProps) {
  const [path] = useLocation();
  const here = rooms.some((room) => path === room || (room !== '/' && path.startsWith(`${room}/`)));
  return (
    <Link className="rail-link" href={href} title={label} aria-current={here ? 'page' : undefined}>
      <Icon name={icon} />
      <span>{label}</span>
    </Link>
  );
}

function ConnectionStatus() {
  const text = useMessages(shellMessages);
  const { state, etcd } = useStore(connectionStore);
  const bad = state === 'cut' || etcd === 'stale';
  const label =
    state === 'cut'
      ? text.cut
      : etcd === 'stale'
        ? text.etcdStale
        : state === 'live'
          ? text.live
          : text.connecting;
  return (
    <div
      className={bad ? 'connection bad' : `connection ${state}`}
      title={label}
      data-testid="connection"
    >
      <i className="pulse" />
      <span>{label}</span>
      <ClockText label={text.serverTime} />
    </div>
  );
}

function ThemeButton() {
  const text = useMessages(shellMessages);
  const theme = useStore(themeStore);
  const icon = { system: 'auto', light: 'sun', dark: 'moon' } as const;
  return (
    <button
      type="button"
      className="button square quiet"
      aria-label={text.theme[theme]}
      title={`${text.theme[theme]} (t)`}
      data-testid="theme"
      onClick={cycleTheme}
    >
      <Icon name={icon[theme]} />
    </button>
  );
}

function LanguageButton() {
  const text = useMessages(shellMessages);
  const language = useLanguage();
  return (
    <button
      type="button"
      className="button square quiet"
      aria-label={text.language}
      title={text.language}
      data-testid="language"
      onClick={() => setLanguage(language === 'en' ? 'zh' : 'en')}
    >
      <Icon name="language" />
    </button>
  );
}
