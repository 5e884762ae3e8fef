/**
 * While a simulation runs, real time and real chance do not exist: whoever reaches for them gets an
 * error, and the simulation fails even if somebody swallows it.
 */
import { performance } from 'node:perf_hooks';

export class GlobalUse extends Error {
  override readonly name = 'GlobalUse';
}

/** `uses` fills with what was reached for; the returned function puts everything back. */
export function forbidGlobals(uses: string[]): () => void {
  const undo: (() => void)[] = [];
  const forbid = (owner: object, key: string, name: string): void => {
    const former = Object.getOwnPropertyDescriptor(owner, key);
    const inherited: unknown = Reflect.get(owner, key);
    const refuse = (): never => {
      const error = new GlobalUse(`${name} was used within a simulation`);
      uses.push(error.stack ?? error.message);
      throw error;
    };
    if (typeof inherited !== 'function') throw new TypeError(`${name} is no function`);
    Object.defineProperty(owner, key, { value: refuse, configurable: true, writable: true });
    undo.push(() => {
      if (former === undefined) Reflect.deleteProperty(owner, key);
      else Object.defineProperty(owner, key, former);
    });
  };
  forbid(Math, 'random', 'Math.random');
  forbid(performance, 'now', 'performance.now');
  forbid(process, 'hrtime', 'process.hrtime');
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) forbid(globalThis, name, name);
  forbid(globalThis.crypto, 'randomUUID', 'crypto.randomUUID');
  forbid(globalThis.crypto, 'getRandomValues', 'crypto.getRandomValues');
  forbid(AbortSignal, 'timeout', 'AbortSignal.timeout');
  const realDate = Date;
  const readsNow = (): never => {
    const error = new GlobalUse('the time of day was read within a simulation');
    uses.push(error.stack ?? error.message);
    throw error;
  };
  globalThis.Date = new Proxy(realDate, {
    construct: (target, args: unknown[]) =>
      args.length === 0 ? readsNow() : (Reflect.construct(target, args) as object),
    apply: readsNow,
    get: (target, key): unknown =>
      key === 'now' ? readsNow : (Reflect.get(target, key, target) as unknown),
  });
  undo.push(() => {
    globalThis.Date = realDate;
  });
  return () => {
    for (const back of undo.toReversed()) back();
  };
}
