import type { Statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import {
  type Booked,
  CHECK_ACCOUNTS,
  CHECK_KEYS,
  CHECK_LOGGED,
  CHECK_SUMS,
  CHECK_TIMEOUTS,
  FIND_NOW,
  LOOK_UP,
  LIST_ACCOUNTS,
  LIST_BOOKED,
  LIST_KEYS,
  LIST_LOGGED,
  LIST_TIMEOUTS,
  LIST_TRANSFERS,
  type Listed,
} from './ledger-checks.sql';
import { CHECK_EVENTS, CHECK_LEGS, CHECK_TARGETS, type FoundBreak } from './transfer-checks.sql';

/** Where a ledger does not hold: by which rule, in which row of which table, and what would hold there. */
export interface LedgerBreak extends FoundBreak {
  readonly relation: string;
}

type Check = Statement<FoundBreak>;

/** What of a ledger is gone through, in this order; the sums, which have no pages, come with the last one. */
const SUBJECTS: readonly {
  readonly relation: string;
  readonly list: Statement<Listed>;
  readonly checks: readonly Check[];
}[] = [
  {
    relation: 'ledger.transfers',
    list: LIST_TRANSFERS,
    checks: [CHECK_LEGS, CHECK_TARGETS, CHECK_EVENTS],
  },
  { relation: 'ledger.accounts', list: LIST_ACCOUNTS, checks: [CHECK_ACCOUNTS] },
  { relation: 'ledger.timeouts', list: LIST_TIMEOUTS, checks: [CHECK_TIMEOUTS] },
  { relation: 'ledger.keys', list: LIST_KEYS, checks: [CHECK_KEYS] },
  { relation: 'events.log', list: LIST_LOGGED, checks: [CHECK_LOGGED] },
];
const NO_ID = '00000000-0000-0000-0000-000000000000';

/** How far a run over everything has got, and when it began. */
export interface FullProgress {
  readonly startedAt: string;
  readonly subject: number;
  readonly after: string;
}

/** How far a run over what was booked has got. */
export interface BookedMark {
  readonly through: string;
  readonly id: string;
}

/** What came of a page: how many rows it had, what does not hold, and where the next begins; undefined behind the last. */
export interface VerifiedPage<Next> {
  readonly checked: number;
  readonly breaks: readonly LedgerBreak[];
  readonly next: Next | undefined;
}

/** Where a run over all that was booked begins. */
export const BOOKED_BEGINNING: BookedMark = { through: '-infinity', id: NO_ID };

/** Rows of a page: it takes some 50 ms, far from any timeout, and what it reads stays in memory for its checks. */
export const VERIFIED_PAGE_SIZE = 500;

/** Where a run over everything begins. */
export async function beginFull(tx: TenantTx): Promise<FullProgress> {
  const [row] = await tx.rows(FIND_NOW);
  if (!row) throw new Error('the database has no clock');
  return { startedAt: row.now, subject: 0, after: NO_ID };
}

/**
 * Verifies the next page of everything that was there when the run began: transfers, accounts, timeouts, keys and events by
 * their ids. What comes later is verified by going through what was booked since.
 */
export async function verifyPage(
  tx: TenantTx,
  { startedAt, subject, after }: FullProgress,
  limit = VERIFIED_PAGE_SIZE,
): Promise<VerifiedPage<FullProgress>> {
  const part = SUBJECTS[subject];
  if (!part) return { checked: 0, breaks: await sums(tx), next: undefined };
  const { relation, list, checks } = part;
  const listed = await tx.rows(list, [tx.tenantId, after, startedAt, limit]);
  const ids = listed.filter(({ isLater }) => !isLater).map(({ id }) => id);
  const breaks = await run(tx, relation, checks, ids);
  const last = listed.length < limit ? undefined : listed.at(-1);
  const next = last ? { subject, after: last.id } : { subject: subject + 1, after: NO_ID };
  return { checked: ids.length, breaks, next: { startedAt, ...next } };
}

/**
 * Verifies the next page of what was booked behind the mark and before the horizon, and what it touches: accounts, the
 * entries before, holds that ended. `next` is the mark to go on from, undefined when everything is verified.
 */
export async function verifyBooked(
  tx: TenantTx,
  mark: BookedMark,
  horizon: string,
  limit = VERIFIED_PAGE_SIZE,
): Promise<VerifiedPage<BookedMark>> {
  const booked = await tx.rows(LIST_BOOKED, [tx.tenantId, mark.through, mark.id, horizon, limit]);
  const ids = booked.map(({ id }) => id);
  const targets = booked.flatMap(({ targetId }) => targetId ?? []);
  const accounts = booked.flatMap(({ debitAccountId, creditAccountId }) => [debitAccountId, creditAccountId]);
  const found = [
    await run(tx, 'ledger.transfers', [CHECK_LEGS, CHECK_EVENTS], ids),
    await run(tx, 'ledger.transfers', [CHECK_TARGETS], [...new Set([...ids, ...targets])]),
    await run(tx, 'ledger.accounts', [CHECK_ACCOUNTS], [...new Set(accounts)]),
  ];
  const last = booked.length < limit ? undefined : booked.at(-1);
  return { checked: booked.length, breaks: found.flat(), next: last && markOf(last) };
}

async function run(
  tx: TenantTx,
  relation: string,
  checks: readonly Check[],
  ids: readonly string[],
): Promise<LedgerBreak[]> {
  if (ids.length === 0) return [];
  void tx.rows(LOOK_UP);
  const found = await Promise.all(checks.map((check) => tx.rows(check, [tx.tenantId, ids])));
  return found.flat().map((each) => ({ ...each, relation }));
}

async function sums(tx: TenantTx): Promise<LedgerBreak[]> {
  const found = await tx.rows(CHECK_SUMS, [tx.tenantId]);
  return found.map((each) => ({ ...each, relation: 'ledger.accounts' }));
}

const markOf = ({ bookedAt, id }: Booked): BookedMark => ({ through: bookedAt, id });
