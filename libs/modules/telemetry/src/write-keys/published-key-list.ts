import { createHash } from 'node:crypto';
import { type Database, SystemTx } from '@holdfast/database';
import { listRunningDrills, type RunningDrill } from '@holdfast/drills';
import { type KeyListContents, signKeyList, type WriteKeySigner } from '@holdfast/ingest';
import { type KeyStateRow, listKeyStates } from './key-states.sql';

/** The list as it is answered. */
export interface PublishedList {
  readonly list: string;
  readonly signature: string;
  /** The same as long as the list says the same, whenever it was read. */
  readonly etag: string;
}

/**
 * Far more than an installation has; ingest reads as much. One that has more is not told of the rest, so it is told nothing: the last
 * list holds, and ingest shows how old it is.
 */
const ROWS_MAX = 1_000_000;

/** How long an answer is given again: many processes of ingest cost one look into the database. */
const FRESH_MS = 2_000;

/** Makes the list of what ingest refuses and drills, for everybody to read: it has fingerprints in it, and a signature. */
export class PublishedKeyList {
  private latest: { readonly list: Promise<PublishedList>; readonly atMs: number } | undefined;

  constructor(
    private readonly auth: Database,
    private readonly signer: WriteKeySigner | undefined,
  ) {}

  /** The list, at most two seconds old; undefined where this installation signs none. */
  async current(): Promise<PublishedList | undefined> {
    const { signer, latest } = this;
    if (!signer) return undefined;
    if (latest && performance.now() - latest.atMs < FRESH_MS) return latest.list;
    const made = { list: this.make(signer), atMs: performance.now() };
    this.latest = made;
    try {
      return await made.list;
    } catch (error) {
      // Who comes next asks again.
      if (this.latest === made) this.latest = undefined;
      throw error;
    }
  }

  private async make(signer: WriteKeySigner): Promise<PublishedList> {
    const [drills, rows] = await this.auth.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => Promise.all([listRunningDrills(tx), listKeyStates(tx, ROWS_MAX + 1)]),
    );
    if (rows.length > ROWS_MAX) throw new Error('the list of revoked write keys is longer than ingest reads');
    const contents = contentsOf(rows, drills);
    const { asOfMs: _, ...states } = contents;
    const etag = createHash('sha256').update(JSON.stringify(states)).digest('base64url');
    return { ...signKeyList(signer, contents), etag: `"${etag}"` };
  }
}

function contentsOf(rows: readonly KeyStateRow[], drills: readonly RunningDrill[]): KeyListContents {
  const fingerprints = (kind: KeyStateRow['kind']): string[] =>
    rows.flatMap((row) => (row.kind === kind && row.fingerprint !== null ? [row.fingerprint] : []));
  const plans: Record<string, string[]> = {};
  for (const { plan, fingerprint } of rows) {
    if (plan !== null && fingerprint !== null) (plans[plan] ??= []).push(fingerprint);
  }
  return {
    asOfMs: Math.floor(rows[0]?.as_of_ms ?? 0),
    revoked: fingerprints('revoked'),
    suspended: fingerprints('suspended'),
    erased: fingerprints('erased'),
    plans,
    drills: drills.map(({ policy, does, delayMs, endsAtMs }) => ({ policy, does, delayMs, endsAtMs })),
  };
}
