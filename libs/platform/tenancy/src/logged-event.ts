import { hash } from 'node:crypto';
import type { CommittedEvent } from '@holdfast/kernel';
import { canonicalJson } from '@holdfast/tlog';

/** What a receipt says of a row of `events.log`. */
export interface LoggedEventRow {
  readonly id: string;
  readonly type: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: bigint;
  /** The text of the jsonb. */
  readonly data: string;
}

/** The digest of a payload as receipts have it. */
export const payloadDigest = (text: string): string =>
  hash('sha256', canonicalJson(JSON.parse(text)), 'base64url');

/**
 * The event of a row as its receipt names it. What is remembered beside the log says at most which rows to look at: the
 * application may write there, and a receipt made from it would vouch for whatever injected text has put there.
 */
export function committedEventOfRow(row: LoggedEventRow): CommittedEvent {
  const stream = { type: row.stream_type, id: row.stream_id, version: String(row.stream_version) };
  return { id: row.id, type: row.type, stream, dataSha256: payloadDigest(row.data) };
}
