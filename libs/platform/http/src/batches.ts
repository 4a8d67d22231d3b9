import type { Caller } from '@holdfast/kernel';

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
      return this.lookUp(caller, [...keys]);
    });
    const batch = { keys, values };
    this.waiting.set(caller, batch);
    return batch;
  }
}
