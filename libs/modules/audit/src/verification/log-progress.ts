import type { TenantTx } from '@holdfast/tenancy';
import { Frontier } from '@holdfast/tlog';
import type { RootClaim } from './log-claims';
import type { LogFinding } from './log-finding';
import { BEFORE_ALL, type LogPlace } from './log-window';
import { findStoredTree, listStoredEpochs, findLastCheckpoint } from './stored-log.sql';

/** An epoch as it was when the verification began. */
export interface VerifiedEpoch {
  readonly epoch: number;
  readonly entry: string;
  readonly prunedTo: number;
  readonly size: number;
}

/** Leaves whose rows are gone. */
export interface MissingRange {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly eventId: string;
}

/** How far a verification has got. JSON, so that another process can go on with it. */
export interface LogProgress {
  readonly startedAt: string;
  readonly epochs: readonly VerifiedEpoch[];
  /** The snapshot of which every event has its leaf; null where nothing is sealed. */
  readonly sealed: string | null;
  /** What is next; `epoch` 0 behind the last tree. */
  readonly at: LogPlace;
  readonly frontier: { readonly size: number; readonly hashes: readonly string[] };
  /** The last size whose root was right, and the event of the leaf behind it. */
  readonly sound: { readonly size: number; readonly eventId?: string };
  readonly missing: readonly MissingRange[];
  /** Up to which leaf of an epoch sealed events say that rows were pruned. */
  readonly prunedTo: Readonly<Record<string, number>>;
  /** Leaves without a row, and what the versions that streams begin with lack to 1: of a stream its first events alone are pruned. */
  readonly gone: number;
  readonly late: number;
  /** Whether an import brought along streams that begin later. */
  readonly isOfPruned: boolean;
  /** Events that were found changed: one whose place in the log was changed is also found without a leaf. */
  readonly changed: readonly string[];
}

/** Whom a verification believes besides the database. */
export interface LogTrust {
  /** Public keys of 32 bytes that the newest checkpoint has to be signed by; those of the database, unless said. */
  readonly publicKeys?: readonly Buffer[];
  /** Roots that were kept from earlier. */
  readonly claims?: readonly RootClaim[];
  /** Leaves that were kept from earlier: the hashes of a tile of level 0 and the events. */
  readonly earlier?: EarlierLeaves;
  /** How long an event may wait for its leaf. */
  readonly lagSeconds?: number;
}

/** A log that was kept, tile by tile; asked in the order of the log. */
export interface EarlierLeaves {
  tile(
    epoch: number,
    tile: number,
  ): Promise<{ readonly hashes: Buffer; readonly eventIds: readonly string[] } | undefined>;
}

/** What came of a page: events that were verified, what does not hold, and where the next begins; undefined behind the last. */
export interface LogPage {
  readonly checked: number;
  readonly findings: readonly LogFinding[];
  readonly next: LogProgress | undefined;
}

/** Begins a verification of everything that the tenant's log has. */
export async function beginLogVerification(tx: TenantTx): Promise<LogProgress> {
  const tree = await findStoredTree(tx);
  const stored = await listStoredEpochs(tx);
  const epochs: VerifiedEpoch[] = [];
  for (const each of stored) {
    const last = tree?.epoch === each.epoch ? tree : await findLastCheckpoint(tx, each.epoch);
    epochs.push({ ...each, size: last?.size ?? 0 });
  }
  return {
    startedAt: new Date().toISOString(),
    epochs,
    sealed: tree?.sealed ?? null,
    at: { epoch: epochs[0]?.epoch ?? 0, tile: 0, seq: BEFORE_ALL },
    frontier: { size: 0, hashes: [] },
    sound: { size: 0 },
    missing: [],
    prunedTo: {},
    gone: 0,
    late: 0,
    isOfPruned: false,
    changed: [],
  };
}

/** The frontier as it stands in the progress. */
export const frontierOf = ({ frontier }: LogProgress): Frontier =>
  Frontier.from(
    frontier.size,
    frontier.hashes.map((each) => Buffer.from(each, 'base64')),
  );
