/**
 * A history store for one test: made fresh, and removed when the test passed; what a failed test
 * left behind stays to be looked at.
 */
import assert from 'node:assert/strict';
import { isCronmeshError, type ErrorCode } from '../../shared/errors.ts';
import type { HistoryStore } from '../../shared/history/port.ts';

export interface StoreUnderTest {
  readonly store: HistoryStore;
  /** Another store object over the same data, stopped with the first. */
  another(): HistoryStore;
  /** Stops all, and removes the data when `passed`. */
  dispose(passed: boolean): Promise<void>;
}

export type MakeStore = () => Promise<StoreUnderTest>;

/** Runs `body` on a fresh, started store. */
export async function withStore(
  makeStore: MakeStore,
  body: (store: HistoryStore, made: StoreUnderTest) => Promise<void>,
): Promise<void> {
  const made = await makeStore();
  let passed = false;
  try {
    await made.store.start();
    await body(made.store, made);
    passed = true;
  } finally {
    await made.dispose(passed);
  }
}

export async function assertRejects(
  call: () => Promise<unknown>,
  code: ErrorCode,
  pattern = /./,
): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(isCronmeshError(error, code), `${code} expected, got ${String(error)}`);
    assert.match(error.message, pattern);
    return true;
  });
}
