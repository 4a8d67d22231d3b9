import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantDatabase, TenantTx } from '@holdfast/tenancy';
import { PLAIN } from '../../../libs/modules/ledger/src/posting/post-batch.sql';
import { posterOver } from '../../../libs/modules/ledger/src/posting/poster';

/** What was done in a window, and how long each took. */
export interface LoadFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Accounts of the ledger that transfers go between. */
export const ACCOUNTS = 10_000;
const CLIENTS = 64;

const accountId = (place: number): string =>
  `00000000-0000-7000-8000-${place.toString(16).padStart(12, '0')}`;

/** Clients that each do one thing after the other for so long. */
export async function underLoad(
  clients: number,
  seconds: number,
  work: () => Promise<unknown>,
): Promise<LoadFigures> {
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1_000;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const startedAt = performance.now();
      await work();
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return {
    perSecond: latencies.length / seconds,
    p50Ms: shareOf(latencies, 0.5),
    p99Ms: shareOf(latencies, 0.99),
  };
}

/** The value below which that share of the numbers lies. */
export function shareOf(numbers: readonly number[], share: number): number {
  const sorted = Float64Array.from(numbers).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Single transfers by clients that wait for their answer, as requests with an idempotency key are. */
export async function postTransfers(
  tenants: TenantDatabase,
  caller: Caller,
  seconds: number,
): Promise<LoadFigures> {
  const poster = posterOver(tenants);
  const figures = await underLoad(CLIENTS, seconds, async () => {
    const from = 1 + Math.floor(Math.random() * ACCOUNTS);
    const to = 1 + ((from + Math.floor(Math.random() * (ACCOUNTS - 1))) % ACCOUNTS);
    await poster.submit(caller, [
      {
        ...PLAIN,
        detailed: true,
        caller: { ...caller, requestId: newId() },
        id: newId(),
        idGiven: false,
        idempotencyKey: newId(),
        debitAccountId: accountId(from),
        creditAccountId: accountId(to),
        amount: 1n,
        metadata: {},
      },
    ]);
  });
  await poster.stop();
  return figures;
}

const LINK = statement<{ hash: Buffer }>(
  'bench.link_row',
  `update bench.chains set hash = sha256(hash || convert_to($2, 'utf8')) where tenant_id = $1 returning hash`,
);
const KEEP = statement(
  'bench.keep_link',
  'insert into bench.links (tenant_id, event_id, hash) values ($1, $2, $3)',
);

/** The table of the comparison: each row's hash is over the one before it, whose row is locked until the commit. */
export const HASH_PER_ROW: readonly string[] = [
  'create schema bench',
  'create table bench.chains (tenant_id uuid primary key, hash bytea not null)',
  'create table bench.links (tenant_id uuid, event_id uuid, hash bytea not null, primary key (tenant_id, event_id))',
  'grant usage on schema bench to holdfast_app',
  'grant select, insert, update on all tables in schema bench to holdfast_app',
];

/** Events of one tenant, each in a transaction of its own; with `linked` as a chain of hashes as well. */
export function announceEvents(
  tenants: TenantDatabase,
  caller: Caller,
  { writers, seconds, linked }: { writers: number; seconds: number; linked: boolean },
): Promise<LoadFigures> {
  const payload = JSON.stringify({ amount: '100', asset: 'EUR/2', note: 'x'.repeat(100) });
  return underLoad(writers, seconds, () =>
    tenants.transaction(caller, async (tx) => {
      const id = await announceOne(tx, payload);
      if (!linked) return;
      const link = await tx.row(LINK, [tx.tenantId, id + payload]);
      await tx.execute(KEEP, [tx.tenantId, id, link?.hash]);
    }),
  );
}

/** Announces an event that is the first of its stream. */
export async function announceOne(tx: TenantTx, payload: string): Promise<string> {
  const id = newId();
  await tx.announce({
    id,
    type: 'bench.note.taken',
    schemaVersion: 1,
    streamType: 'bench.note',
    streamId: newId(),
    streamVersion: 1n,
    payload,
  });
  return id;
}
