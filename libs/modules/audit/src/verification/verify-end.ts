import type { TenantTx } from '@holdfast/tenancy';
import type { LeafRow } from '../sealing/leaf';
import type { LogFinding } from './log-finding';
import { readUnsealed } from './log-window';
import { listPublicKeys, withLeaves } from './stored-log.sql';
import { lostEpoch } from './tree-claims';
import type { LogPage, LogProgress, LogTrust } from './log-progress';

const PAGE = 1_000;
/** Long after any lag of a sealer that works: the alert on its lag comes first. */
export const LAG_SECONDS = 300;
/** Clocks of servers are apart by far less. */
const FUTURE_SECONDS = 60;

/** Verifies a page of what has no leaf behind the last tree, and behind the last page what is missing. */
export async function verifyEnd(tx: TenantTx, progress: LogProgress, trust: LogTrust): Promise<LogPage> {
  const rows = await readUnsealed(tx, progress.at.seq, PAGE);
  const sealed = await withLeaves(tx, { epoch: 0, tile: 0 }, rows);
  const strays = rows.filter(({ id }) => !sealed.has(id) && !progress.changed.includes(id));
  const findings = strays.flatMap((row) => judgeLeafless(progress, row, trust) ?? []);
  const last = rows.length === PAGE ? rows.at(-1) : undefined;
  const next = last && { ...progress, at: { ...progress.at, seq: last.seq } };
  if (!next)
    findings.push(
      ...missingOf(progress),
      ...countsOf(progress),
      ...(await claimsOfNoTree(tx, progress, trust)),
    );
  return { checked: strays.length, findings, next };
}

/** Whether the event is one of those that all have their leaves. */
const isSealedIn = ({ sealed }: LogProgress, { xid }: LeafRow): boolean =>
  sealed !== null && isVisible(sealed, xid);

function isVisible(snapshot: string, xid: string): boolean {
  const [xmin = '0', xmax = '0', open = ''] = snapshot.split(':');
  const id = BigInt(xid);
  return id < BigInt(xmin) || (id < BigInt(xmax) && !open.split(',').includes(xid));
}

/** What is to be said of an event that has no leaf: nothing while it may be waiting for it. */
export function judgeLeafless(
  progress: LogProgress,
  row: LeafRow,
  { lagSeconds = LAG_SECONDS }: LogTrust,
): LogFinding | undefined {
  const epoch = progress.epochs.at(-1)?.epoch ?? 1;
  if (isSealedIn(progress, row)) {
    const message = 'no leaf is that of this event, and all events up to it are sealed';
    return { kind: 'inserted', epoch, eventId: row.id, message };
  }
  const age = (Date.parse(progress.startedAt) - Date.parse(row.occurred_at)) / 1_000;
  if (age < -FUTURE_SECONDS) {
    const message = 'it says that it happened in the future, and waits for its leaf until then';
    return { kind: 'inserted', epoch, eventId: row.id, message };
  }
  if (age <= lagSeconds) return undefined;
  return {
    kind: 'unsealed',
    epoch,
    eventId: row.id,
    message: `it has waited ${Math.round(age)} s for its leaf`,
  };
}

/** What was kept from a tree that is not there any more, but of one that a restore lost. */
async function claimsOfNoTree(
  tx: TenantTx,
  progress: LogProgress,
  { claims = [] }: LogTrust,
): Promise<LogFinding[]> {
  const stray = claims.filter((claim) => !progress.epochs.some(({ epoch }) => epoch === claim.epoch));
  if (stray.length === 0) return [];
  const known = await listPublicKeys(tx);
  return stray
    .filter(({ epoch, size }) => size > (lostEpoch(tx.tenantId, progress, epoch + 1, known)?.size ?? 0))
    .map(({ epoch, by }) => ({
      ...{ kind: 'cut', epoch, index: 0 },
      message: `${by} is of epoch ${epoch}, which is not there`,
    }));
}

/** Of each stream its last event stays: so as many rows may be gone as versions are at the beginnings of streams, and no others. */
function countsOf({ missing, prunedTo, gone, late, isOfPruned }: LogProgress): LogFinding[] {
  const epoch = Math.max(0, ...Object.keys(prunedTo).map(Number));
  const isSaid = missing.every((range) => range.to < (prunedTo[range.epoch] ?? 0));
  if (epoch === 0 || !isSaid || gone === late) return [];
  const lost = `${gone - late} events are gone that are no first ones of their streams, which alone are pruned`;
  if (gone > late) return [{ kind: 'missing', epoch, message: lost }];
  const message = `streams begin ${late - gone} versions later than with what was pruned`;
  return isOfPruned ? [] : [{ kind: 'gap', epoch, message }];
}

/** Leaves without events that no sealed event accounts for. */
function missingOf({ missing, prunedTo, epochs }: LogProgress): LogFinding[] {
  const overstated = epochs.filter(({ epoch, prunedTo: said }) => said > (prunedTo[epoch] ?? 0));
  const gone = missing.flatMap(({ epoch, from, to, eventId }): LogFinding[] => {
    const first = Math.max(from, prunedTo[epoch] ?? 0);
    if (first > to) return [];
    const message = to > first ? `the events of leaves ${first} to ${to} are gone` : 'the event is gone';
    return [{ kind: 'missing', epoch, index: first, ...(first === from ? { eventId } : {}), message }];
  });
  return [
    ...overstated.map(({ epoch, prunedTo: said }): LogFinding => {
      const index = prunedTo[epoch] ?? 0;
      const message = `it is said to be pruned up to leaf ${said}, and a sealed event says ${index}`;
      return { kind: 'pruned', epoch, index, message };
    }),
    ...gone,
  ];
}
