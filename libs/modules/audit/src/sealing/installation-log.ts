import type { SystemTx } from '@holdfast/database';

/** An entry of the installation's own log, whose leaves are no events. */
export interface InstallationEntry {
  /** A UUID, in whatever form PostgreSQL reads. */
  readonly id: string;
  /** Canonical JSON: what is hashed. */
  readonly entry: string;
}

/** One that has its leaf. */
export interface PlacedEntry extends InstallationEntry {
  readonly leaf: number;
}

/** Where the entries of the installation's own log come from, and where their places and certificates go. */
export interface InstallationEntries {
  /** Whose log it is: the nil tenant's. */
  readonly tenantId: string;
  /** Entries that have no leaf yet, in the order in which they become leaves. */
  listUnplaced(tx: SystemTx, limit: number): Promise<readonly InstallationEntry[]>;
  /** Notes that the entries are the leaves of an epoch from `firstLeaf` on. In the transaction that makes them so. */
  place(tx: SystemTx, epoch: number, firstLeaf: number, ids: readonly string[]): Promise<void>;
  /** Entries of an epoch below `size` that have no certificate yet. */
  listUncertified(tx: SystemTx, epoch: number, size: number, limit: number): Promise<readonly PlacedEntry[]>;
  /** Stores the proof that each is in the log: a file of c2sp.org/tlog-proof@v1. */
  certify(
    tx: SystemTx,
    certificates: readonly { readonly id: string; readonly certificate: string }[],
  ): Promise<void>;
}
