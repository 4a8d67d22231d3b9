import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@holdfast/kernel';
import { sqlState } from '@holdfast/database';
import type { TenantDatabase } from '@holdfast/tenancy';
import type { LogFinding } from './log-finding';
import { beginLogVerification, type LogPage, type LogProgress, type LogTrust } from './log-progress';
import { readLeafRows } from './stored-log.sql';
import { listPageLeaves } from './verify-leaves';
import { describeHoles } from './tree-claims';
import { verifyLogPage } from './verify-log';

/** How a log is verified in one go. */
export interface VerifyLogOptions extends LogTrust {
  /** Told after each page how many events were verified so far, and how many leaves there are. */
  readonly onPage?: (checked: number, total: number) => void;
  /** Events in a second at most, so that the database has time for others; as many as it can, unless said. */
  readonly ratePerSecond?: number;
  /** Admits the caller anew before each page: a large log takes longer than a grant lives. */
  readonly renew?: () => Promise<Caller>;
}

/** What came of it: findings up to a thousand, and how many there are. */
export interface VerifiedLog {
  readonly checked: number;
  readonly findings: readonly LogFinding[];
  readonly findingCount: number;
  readonly epochs: readonly { readonly epoch: number; readonly size: number }[];
  /** What holds and is told all the same: epochs that a restore lost. */
  readonly notes: readonly string[];
}

const LISTED_MAX = 1_000;

/**
 * Verifies the caller's log against the rows of his events, a page and a read-only transaction at a time, while others write:
 * every leaf is made anew, every tile and root compared, every checkpoint's signature verified.
 */
export async function verifyLog(
  tenants: TenantDatabase,
  caller: Caller,
  { onPage, ratePerSecond = Number.POSITIVE_INFINITY, renew, ...trust }: VerifyLogOptions = {},
): Promise<VerifiedLog> {
  const begun = await tenants.reading(caller, beginLogVerification);
  const epochs = begun.epochs.map(({ epoch, size }) => ({ epoch, size }));
  const total = epochs.reduce((sum, { size }) => sum + size, 0);
  const findings: LogFinding[] = [];
  let [checked, findingCount] = [0, 0];
  for (let progress: LogProgress | undefined = begun; progress;) {
    const from: LogProgress = progress;
    const startedAtMs = performance.now();
    const by = renew ? await renew() : caller;
    const page = await readable(tenants, by, from, trust);
    checked += page.checked;
    findingCount += page.findings.length;
    findings.push(...page.findings.slice(0, LISTED_MAX - findings.length));
    onPage?.(checked, total);
    progress = page.next;
    const dueMs = (page.checked * 1_000) / ratePerSecond - (performance.now() - startedAtMs);
    if (dueMs > 0) await sleep(dueMs);
  }
  const notes = findings.some(({ kind }) => kind === 'epoch') ? [] : describeHoles(begun);
  return { checked, findings: findings.toSorted(byPlace), findingCount, epochs, notes };
}

/** PostgreSQL's `data_corrupted`: a page of a table does not fit its checksum. */
const DATA_CORRUPTED = 'XX001';

/** The next page; of one that cannot be read the first event that cannot, and then there is no next. */
async function readable(
  tenants: TenantDatabase,
  caller: Caller,
  from: LogProgress,
  trust: LogTrust,
): Promise<LogPage> {
  try {
    return await tenants.reading(caller, (tx) => verifyLogPage(tx, from, trust));
  } catch (error) {
    if (sqlState(error) !== DATA_CORRUPTED || !(error instanceof Error)) throw error;
    const leaves = await tenants.reading(caller, (tx) => listPageLeaves(tx, from));
    for (const { index, eventId } of leaves) {
      const isThere = await tenants
        .reading(caller, (tx) => readLeafRows(tx, [eventId]))
        .catch(() => undefined); // Not this one.
      if (isThere) continue;
      const message = `PostgreSQL cannot read the event: ${error.message}`;
      const finding: LogFinding = { kind: 'unreadable', epoch: from.at.epoch, index, eventId, message };
      return { checked: 0, findings: [finding], next: undefined };
    }
    throw error;
  }
}

/** In the order of the log; a root says of many leaves that one of them is wrong, so it comes behind what names a leaf. */
function byPlace(one: LogFinding, other: LogFinding): number {
  const isRoot = ({ kind }: LogFinding): number => (kind === 'root' ? 1 : 0);
  const place = ({ index = Number.MAX_SAFE_INTEGER }: LogFinding): number => index;
  return one.epoch - other.epoch || isRoot(one) - isRoot(other) || place(one) - place(other);
}
