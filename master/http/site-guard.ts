/**
 * There are no users yet, so whoever can send a request may do everything: the guard keeps web pages
 * of others from doing it through a browser. A page whose name was re-bound to our address shows
 * itself by its Host, a foreign page by its Origin or Sec-Fetch-Site. X-Forwarded-Host is never
 * trusted; a proxy passes the Host it was asked for, and its names are configured.
 */
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../shared/config/common.ts';
import { CronmeshError, renderGot } from '../../shared/errors.ts';

export interface SiteGuard {
  /** Throws `forbidden`. */
  check(request: Pick<IncomingMessage, 'method' | 'headers'>): void;
}

const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** `boundHost` is where the server listens; a non-loopback one without names takes any Host. */
export function createSiteGuard(boundHost: string, allowedHosts: readonly string[]): SiteGuard {
  const names = new Set(allowedHosts.map((name) => name.toLowerCase()));
  const isOpen = names.size === 0 && !isLoopback(boundHost);
  const isKnown = (name: string): boolean =>
    isOpen || names.has(name) || isLoopback(name.replaceAll(/^\[|\]$/g, ''));
  return {
    check: ({ method = 'GET', headers }) => {
      const { host } = headers;
      // Only HTTP/1.0 may leave it out, which no browser speaks.
      if (host !== undefined && !isKnown(nameOf(host))) {
        throw refused(
          'Host',
          'This master is not to be asked under that name',
          'localhost, 127.0.0.1, [::1] or one of the configured allowedHosts',
          host,
        );
      }
      if (readingMethods.has(method)) return;
      const site = headers['sec-fetch-site'];
      if (site === 'cross-site') {
        throw refused('Sec-Fetch-Site', 'The request comes from another site', 'same-origin', site);
      }
      const { origin } = headers;
      if (origin !== undefined && origin !== '' && !isOwn(origin, host, names)) {
        throw refused('Origin', 'The request comes from another site', 'this site', origin);
      }
    },
  };
}

/** The page stands on the host that was asked, or on one of the configured names. */
function isOwn(origin: string, host: string | undefined, names: ReadonlySet<string>): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  if (match?.[1] === undefined) return false;
  const own = match[1].toLowerCase();
  return own === host?.toLowerCase() || names.has(nameOf(own));
}

function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

function refused(field: string, message: string, expected: string, got: string): CronmeshError {
  return new CronmeshError('forbidden', message, {
    problems: [{ field, message, expected, got: renderGot(got) }],
  });
}
