import { type Database, statement, SystemTx } from '@holdfast/database';

/** Who seals, as the holder of the lease proves it in each transaction. */
export interface SealerLease {
  readonly holder: string;
  readonly fence: bigint;
  readonly leaseMs: number;
}

/** Which database this is, as `events.lineage` has it. */
export interface SealedLineage {
  readonly epoch: number;
  /** Which adoption of an epoch: a restore may count the same number a second time. */
  readonly name: string;
  /** The server process that was looked at last. */
  readonly serverStartedAt: string;
  /** False while events are stopped, or nobody has looked at this server process yet. */
  readonly isSound: boolean;
}

/** The lease has gone to another holder: whoever sees this stops sealing. */
export class SealerLeaseLost extends Error {
  override readonly name = 'SealerLeaseLost';
}

/** Events are stopped, or the server is another process than the round began with: nothing is sealed or signed. */
export class SealingStopped extends Error {
  override readonly name = 'SealingStopped';
}

const ACQUIRE = statement<{ fence: bigint }>(
  'audit.acquire_sealer',
  `update audit.sealer
   set holder = $1, fence = fence + 1, expires_at = clock_timestamp() + make_interval(secs => $2::int / 1000.0)
   where name = 'sealer' and expires_at < clock_timestamp()
   returning fence`,
);

// The leaves are on disk before they are signed, whatever a session's commits wait for otherwise.
const HOLD = statement<{ waits: string | null }>(
  'audit.hold_sealer',
  `update audit.sealer
   set expires_at = clock_timestamp() + make_interval(secs => $3::int / 1000.0)
   where name = 'sealer' and holder = $1 and fence = $2
   returning case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', true) end as waits`,
);

const RELEASE = statement(
  'audit.release_sealer',
  `update audit.sealer
   set expires_at = '-infinity'
   where name = 'sealer' and holder = $1 and fence = $2`,
);

const LINEAGE = statement<SealedLineage>(
  'audit.find_lineage',
  `select l.epoch, l.epoch || '/' || f.adopted_at as name, l.server_started_at::text as "serverStartedAt",
     l.stopped_at is null and l.server_started_at = pg_postmaster_start_time() as "isSound"
   from events.lineage l
   cross join lateral (select min(o.adopted_at) as adopted_at from events.lineage o where o.epoch = l.epoch) f
   order by l.id desc
   limit 1`,
);

/** A transaction of the sealer's role, which belongs to no tenant. */
export function sealing<T>(
  database: Database,
  work: (tx: SystemTx) => Promise<T>,
  access: 'read only' | 'read write' = 'read write',
): Promise<T> {
  return database.transaction((connection) => new SystemTx(connection, access), work);
}

/** Takes the lease when it is free or has expired; answers its fence, or undefined. */
export async function acquireSealer(
  database: Database,
  holder: string,
  leaseMs: number,
): Promise<bigint | undefined> {
  const [lease] = await sealing(database, (tx) => tx.last(ACQUIRE, [holder, leaseMs]));
  return lease?.fence;
}

/** Gives the lease back, so that another can take it at once. Without effect for a holder who has lost it. */
export async function releaseSealer(database: Database, holder: string, fence: bigint): Promise<void> {
  await sealing(database, (tx) => tx.last(RELEASE, [holder, fence]));
}

/** The lineage that holds; undefined before the first sequencer. */
export function findSealedLineage(tx: SystemTx): Promise<SealedLineage | undefined> {
  return tx.row(LINEAGE);
}

/**
 * Locks the lease's row until the transaction ends, renews it, and refuses whoever lost it, and a database that is not the
 * one of `expected`. Statements that were issued meanwhile are rolled back with the transaction.
 */
export async function holdSealer(
  tx: SystemTx,
  { holder, fence, leaseMs }: SealerLease,
  expected: SealedLineage,
): Promise<void> {
  // Two statements: the second one's snapshot is taken when the row is locked, and shows what its last holder committed.
  const [held, found] = await Promise.all([
    tx.execute(HOLD, [holder, fence, leaseMs]),
    // Looked at whatever becomes of the first: a connection that is lost fails both.
    findSealedLineage(tx),
  ]);
  if (held === 0) throw new SealerLeaseLost('the lease of the sealer is held by another');
  assertSame(found, expected);
}

/** Refuses a database that is not the one of `expected`, or is stopped. */
export function assertSame(found: SealedLineage | undefined, expected: SealedLineage): void {
  if (!found?.isSound) throw new SealingStopped('the lineage of the database is not verified');
  if (found.name !== expected.name || found.serverStartedAt !== expected.serverStartedAt)
    throw new SealingStopped('the database is another one than the round began with');
}
