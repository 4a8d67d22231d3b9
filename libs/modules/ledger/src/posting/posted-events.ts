import { hash } from 'node:crypto';
import type { CommittedEvent } from '@holdfast/kernel';
import { canonicalJson } from '@holdfast/tlog';
import {
  holdExpired,
  holdPlaced,
  holdPosted,
  holdVoided,
  transferPosted,
  transferReversed,
} from '../ledger.events';
import type { Posting, PostingKind, PostingResult } from './post-batch.sql';

const EVENT_TYPES = {
  transfer: transferPosted,
  hold: holdPlaced,
  post: holdPosted,
  void: holdVoided,
  expiry: holdExpired,
  reversal: transferReversed,
} as const satisfies Readonly<Record<PostingKind, unknown>>;

/** The events that `ledger.post_items` has written for these postings, for receipts. */
export function committedEventsOf(
  postings: readonly Posting[],
  results: readonly PostingResult[],
  eventIds: readonly string[],
): CommittedEvent[] {
  return postings.flatMap((posting, index) => {
    const [result, id] = [results[index], eventIds[index]];
    return result?.result === 'created' && id !== undefined ? committedEventOf(posting, result, id) : [];
  });
}

/** Where the events stand of what earlier postings made, which these have found. */
export function replayedStreamsOf(
  postings: readonly Posting[],
  results: readonly PostingResult[],
): Pick<CommittedEvent, 'type' | 'stream'>[] {
  return postings.flatMap(({ kind, targetId }, index) => {
    const result = results[index];
    if (result?.result !== 'exists') return [];
    const { type, streamType } = EVENT_TYPES[kind];
    return { type, stream: { type: streamType, id: targetId ?? result.id } };
  });
}

function committedEventOf(posting: Posting, result: PostingResult, id: string): CommittedEvent {
  const { kind, targetId } = posting;
  const { type, streamType } = EVENT_TYPES[kind];
  const version = versionOf(kind);
  const dataSha256 = payloadDigest(posting, result);
  return {
    id,
    type,
    stream: { type: streamType, id: targetId ?? result.id, ...(version !== undefined && { version }) },
    ...(dataSha256 !== undefined && { dataSha256 }),
  };
}

/** What the database gives the event. Of a reversal it depends on what is reversed, which is known there alone. */
function versionOf(kind: PostingKind): string | undefined {
  if (kind === 'reversal') return undefined;
  return kind === 'transfer' || kind === 'hold' ? '1' : '2';
}

/** Of the payload as `ledger.post_items` makes it; undefined where the posting was not to tell what it was given. */
function payloadDigest({ kind, targetId, terms }: Posting, result: PostingResult): string | undefined {
  const { debitAccountId, creditAccountId, asset, amount, debitVersion, creditVersion, bookedAt } = result;
  if (bookedAt === null) return undefined;
  const payload = {
    ...{ debitAccountId, creditAccountId, asset, bookedAt },
    amount: String(amount),
    debitVersion: String(debitVersion),
    creditVersion: String(creditVersion),
    ...(targetId !== null && { transferId: result.id }),
    ...(kind === 'reversal' && { reversedId: targetId }),
    ...(terms?.effective_date !== undefined && { effectiveDate: terms.effective_date }),
    ...(terms?.timeout_seconds !== undefined && { expiresAt: result.expiresAt }),
  };
  return hash('sha256', canonicalJson(payload), 'base64url');
}
