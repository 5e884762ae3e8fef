/**
 * A Logger of components under simulation: its lines become part of the full story. A failure that is
 * none of the catalogue is a fault of the code, also where it is caught and logged.
 */
import { CronmeshError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { Story } from './story.ts';

export function createSimLogger(
  story: Story,
  who: string,
  onFault: (detail: string) => void = () => undefined,
): Logger {
  const line =
    (level: string) =>
    (fields: unknown, message?: string): void => {
      const fault = faultIn(fields);
      if (fault !== undefined) onFault(`${who}: ${message ?? ''}: ${fault}`);
      if (!story.isFull) return;
      const text = typeof fields === 'string' ? fields : `${message ?? ''} ${render(fields)}`;
      story.detail(who, `${level} ${text}`);
    };
  const quiet = (): void => undefined;
  const logger = {
    level: 'debug',
    trace: quiet,
    debug: line('log'),
    info: line('log'),
    warn: line('warn'),
    error: line('error'),
    fatal: line('error'),
    silent: quiet,
    child: () => logger,
  };
  return logger as unknown as Logger;
}

function faultIn(fields: unknown): string | undefined {
  if (typeof fields !== 'object' || fields === null || !('err' in fields)) return undefined;
  const { err } = fields;
  if (!(err instanceof Error) || err instanceof CronmeshError) return undefined;
  return err.stack ?? err.message;
}

function render(fields: unknown): string {
  return JSON.stringify(fields, (_key, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
