/**
 * Start and stop of components. A Component's start() and stop() are idempotent and concurrent
 * calls share one promise. A Releasers stack runs clean-up in reverse order of registration, each
 * one even when another throws.
 */
export interface Component {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export class Releasers {
  readonly #stack: { name: string; release: () => unknown }[] = [];

  add(name: string, release: () => unknown): void {
    this.#stack.push({ name, release });
  }

  /** Runs and forgets everything registered; errors go to `onError` with the releaser's name. */
  async releaseAll(onError: (name: string, error: unknown) => void): Promise<void> {
    for (let next = this.#stack.pop(); next !== undefined; next = this.#stack.pop()) {
      try {
        await next.release();
      } catch (error) {
        onError(next.name, error);
      }
    }
  }
}

/** Makes a function whose concurrent and later calls all get the first call's promise. */
export function once<T>(run: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= run());
}
