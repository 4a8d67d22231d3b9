import type { TenantTx } from './tenant-tx';

/**
 * Rows of a module that hold something of a person, found by the person's id, so that an erasure reaches them. The vault, which
 * holds what events say, is none: it is erased by itself.
 */
export interface SubjectStore {
  readonly name: string;
  /** How many rows hold something of the subjects. */
  countRows(tx: TenantTx, subjects: readonly string[]): Promise<number>;
  /** Other ids under which the same person is known: of invitations, say. At most 1,000. */
  listRelated?(tx: TenantTx, subject: string): Promise<readonly string[]>;
  /** Whether the person still takes part, so that nothing can be erased before that has ended. */
  isInUse?(tx: TenantTx, subjects: readonly string[]): Promise<boolean>;
  /** Erases rows that are few, in the transaction of the order, which announces it. */
  eraseRows?(tx: TenantTx, subjects: readonly string[]): Promise<void>;
  /** Removes, after the order, copies that were made before it; called again until it answers true. */
  sweep?(tx: TenantTx, subjects: readonly string[], orderedAt: Date): Promise<boolean>;
}

const stores = new Map<string, SubjectStore>();

/** Declares a store, once, where a module's rows may name a person. */
export function subjectStore(store: SubjectStore): void {
  if (stores.has(store.name)) throw new Error(`two stores of subjects are called ${store.name}`);
  stores.set(store.name, store);
}

/** Every store that this process knows. */
export function listSubjectStores(): readonly SubjectStore[] {
  return [...stores.values()];
}
