import type { TestDatabase } from '@holdfast/testing';
import {
  appendToTiles,
  formatCheckpoint,
  formatVerifierKey,
  generateSignerKey,
  leafHash,
  rootFromTiles,
  signNote,
  signerKey,
  type SignerKey,
  type Tile,
  TILE_WIDTH,
  tileReader,
} from '@holdfast/tlog';
import {
  epochEntry,
  eventEntry,
  fieldPrints,
  type LeafRow,
  type PreviousEpoch,
  PRINTS_LENGTH,
} from '../src/sealing/leaf';

const LOG = 'log.test';
const NIL = '00000000-0000-0000-0000-000000000000';

/** How a tree is made by hand. */
export interface SealedByHand {
  /** Checkpoints are signed at these sizes besides that of the whole tree. */
  readonly checkpointsAt?: readonly number[];
  /** Leaves that stand in tiles behind the last checkpoint. */
  readonly unsigned?: number;
  /** The ids of events to seal in this order; all of the tenant by seq, unless said. */
  readonly eventIds?: readonly string[];
  readonly epoch?: number;
  readonly previous?: PreviousEpoch;
}

/**
 * Makes the log of a tenant from its rows in one go, as a superuser who has the key of the log could: for tests of what
 * verifies, which want logs of every shape, and histories that were made anew.
 */
export class HandSealer {
  readonly logName = LOG;

  constructor(
    private readonly database: Pick<TestDatabase, 'admin'>,
    readonly key: SignerKey = generateSignerKey(LOG),
  ) {}

  /** The key of a tree as `--key` takes it. */
  verifierKey(tenantId: string, epoch = 1): string {
    return formatVerifierKey(this.signer(tenantId, epoch));
  }

  /** Makes the tree of an epoch anew, and answers its newest checkpoint. */
  async seal(tenantId: string, shape: SealedByHand = {}): Promise<string> {
    const { checkpointsAt = [], unsigned = 0, epoch = 1, previous = null } = shape;
    const rows = await this.rows(tenantId, shape.eventIds);
    const entry = epochEntry({ tenantId, epoch, previous });
    const hashes = [entry, ...rows.map(eventEntry)].map((each) => leafHash(Buffer.from(each)));
    const tiles = appendToTiles(0, [], hashes);
    await this.clear(tenantId, epoch);
    await this.insertTree(tenantId, epoch, entry, hashes.length);
    for (const tile of tiles) await this.insertTile(tenantId, epoch, tile);
    await this.insertLeaves(tenantId, epoch, rows);
    let note = '';
    const sizes = [...checkpointsAt, hashes.length - unsigned];
    for (const [at, size] of sizes.entries()) {
      const root = await rootFromTiles(readerOf(tiles), size);
      const origin = `${LOG}/${tenantId}/${epoch}`;
      note = signNote(formatCheckpoint({ origin, size, root }), [this.signer(tenantId, epoch)]);
      await this.database.admin(
        `insert into audit.checkpoints (tenant_id, epoch, hour, size, root, note)
         values ($1, $2, timestamptz '2026-01-01Z' + make_interval(hours => $3), $4, $5, $6)`,
        [tenantId, epoch, at, size, root, note],
      );
    }
    return note;
  }

  private signer(tenantId: string, epoch: number): SignerKey {
    return signerKey(`${LOG}/${tenantId}/${epoch}`, this.key.privateKey);
  }

  private async rows(tenantId: string, eventIds?: readonly string[]): Promise<LeafRow[]> {
    const rows = await this.database.admin<LeafRow>(
      `select seq::text, xid::text, tenant_id::text, id::text, stream_type, stream_id::text, stream_version::text, type,
         schema_version, actor, act, correlation_id, causation_id, traceparent,
         audit.instant_text(occurred_at) as occurred_at, data::text
       from events.log e where tenant_id = $1 order by e.seq`,
      [tenantId],
    );
    if (!eventIds) return rows;
    const byId = new Map(rows.map((row) => [row.id, row]));
    return eventIds.flatMap((id) => byId.get(id) ?? []);
  }

  private async clear(tenantId: string, epoch: number): Promise<void> {
    for (const table of ['tiles', 'leaves', 'checkpoints', 'epochs'])
      await this.database.admin(`delete from audit.${table} where tenant_id = $1 and epoch = $2`, [
        tenantId,
        epoch,
      ]);
    await this.database.admin('delete from audit.trees where tenant_id = $1', [tenantId]);
  }

  private async insertTree(tenantId: string, epoch: number, entry: string, size: number): Promise<void> {
    await this.database.admin(
      `insert into audit.trees (tenant_id, epoch, lineage, size, earlier)
       values ($1, $2, 1, $3, pg_current_snapshot())`,
      [tenantId, epoch, size],
    );
    await this.database.admin('insert into audit.epochs (tenant_id, epoch, entry) values ($1, $2, $3)', [
      tenantId,
      epoch,
      entry,
    ]);
    const spki = this.key.publicKey.export({ type: 'spki', format: 'der' });
    await this.database.admin('insert into audit.log_keys (public_key) values ($1) on conflict do nothing', [
      spki.subarray(-32),
    ]);
  }

  private async insertTile(tenantId: string, epoch: number, { level, index, hashes }: Tile): Promise<void> {
    await this.database.admin(
      `insert into audit.tiles (tenant_id, epoch, level, tile, width, hashes) values ($1, $2, $3, $4, $5, $6)`,
      [tenantId, epoch, level, index, hashes.length / 32, hashes],
    );
  }

  private async insertLeaves(tenantId: string, epoch: number, rows: readonly LeafRow[]): Promise<void> {
    const ids = [NIL, ...rows.map(({ id }) => id)];
    const prints = [Buffer.alloc(PRINTS_LENGTH), ...rows.map(fieldPrints)];
    const seqs = [0n, ...rows.map(({ seq }) => BigInt(seq))];
    let high = 0n;
    for (let from = 0; from < ids.length; from += TILE_WIDTH) {
      const of = seqs.slice(from, from + TILE_WIDTH).filter((seq) => seq > 0n);
      for (const seq of of) high = seq > high ? seq : high;
      const sorted = of.toSorted((one, other) => Number(one - other));
      await this.database.admin(
        `insert into audit.leaves (tenant_id, epoch, tile, event_ids, prints, first_seq, last_seq, high_seq)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [
          tenantId,
          epoch,
          from / TILE_WIDTH,
          ids.slice(from, from + TILE_WIDTH),
          Buffer.concat(prints.slice(from, from + TILE_WIDTH)),
          sorted.at(0) ?? null,
          sorted.at(-1) ?? null,
          high,
        ],
      );
    }
  }
}

const readerOf = (tiles: readonly Tile[]): ReturnType<typeof tileReader> =>
  tileReader((level, index, width) => {
    const tile = tiles.find((each) => each.level === level && each.index === index);
    return Promise.resolve((tile?.hashes ?? Buffer.alloc(0)).subarray(0, width * 32));
  });
