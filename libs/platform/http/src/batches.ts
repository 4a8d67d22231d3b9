import type { Caller } from '@holdfast/kernel';

/** Keys of one look-up. Pages of pages can name tens of thousands of objects, and statements have a limit. */
const KEYS_MAX = 1_000;

interface Batch<Value> {
  readonly keys: Set<string>;
  readonly values: Promise<ReadonlyMap<string, Value>>;
}

/**
 * Looks up what the fields of one GraphQL request ask for, all keys of a level together: a list of N objects whose fields
 * name others costs one look-up more and not N. Nothing is remembered between levels, so a mutation never shows what was so
 * before it. Callers are per request, and so are batches.
 */
export class Batches<Value> {
  private readonly waiting = new WeakMap<Caller, Batch<Value>>();

  constructor(
    /** Looks up to a thousand keys up. */
    private readonly lookUp: (caller: Caller, keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  ) {}

  /** What the key stands for, or undefined. */
  async get(caller: Caller, key: string): Promise<Value | undefined> {
    const batch = this.waiting.get(caller) ?? this.begin(caller);
    batch.keys.add(key);
    return (await batch.values).get(key);
  }

  private begin(caller: Caller): Batch<Value> {
    const keys = new Set<string>();
    const { promise, resolve } = Promise.withResolvers<void>();
    // Immediates run once nothing is left to do without waiting for I/O: then every field of the level has asked.
    setImmediate(resolve);
    const values = promise.then(() => {
      this.waiting.delete(caller);
      return this.lookUpAll(caller, [...keys]);
    });
    const batch = { keys, values };
    this.waiting.set(caller, batch);
    return batch;
  }

  /** One look-up after the other, so that no request takes many connections. */
  private async lookUpAll(caller: Caller, keys: readonly string[]): Promise<ReadonlyMap<string, Value>> {
    const found = new Map<string, Value>();
    for (let start = 0; start < keys.length; start += KEYS_MAX)
      for (const [key, value] of await this.lookUp(caller, keys.slice(start, start + KEYS_MAX)))
        found.set(key, value);
    return found;
  }
}
