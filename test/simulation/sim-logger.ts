/**
 * A Logger of components under simulation: its lines become part of the full story.
 */
import type { Logger } from '../../shared/log.ts';
import type { Story } from './story.ts';

export function createSimLogger(story: Story, who: string): Logger {
  const line =
    (level: string) =>
    (fields: unknown, message?: string): void => {
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

function render(fields: unknown): string {
  return JSON.stringify(fields, (_key, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
