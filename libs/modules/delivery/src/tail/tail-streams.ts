import { TenantDatabase } from '@holdfast/tenancy';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { bulkhead, type IPolicy } from 'cockatiel';
import { LogChanged, StreamsUnavailable, TooManyStreams } from '../delivery.errors';
import { isLater, NOTHING } from './snapshot';
import { decodePosition, type TailPosition } from './tail-cursor';
import { filterOf, type TailInput } from './tail-filter';
import { type TailReader, type TailSource, TailStream } from './tail-stream';
import { TickWatch } from './tick-watch';

/** Streams of one tenant in this process: a page of a dashboard each, or a consumer for each of its types. */
const TENANT_STREAMS_MAX = 20;
/** Streams in this process: about 50 kB each, and at most 500 looks a second among them. */
const STREAMS_MAX = 500;
/** Of the process's connections to PostgreSQL, so many read for streams; requests have the others. */
const READS_AT_ONCE = 4;
/** A tick is durable within a second; where none becomes so, something is wrong with PostgreSQL's writing of its log. */
const OPENING_MAX_MS = 5_000;
const PACE_MIN_MS = 100;
const PACE_MAX_MS = 1_000;
const PACE_PER_STREAM_MS = 2;

/** The streams of this process: opens them within limits, and ends them all when the process stops. */
@Injectable()
export class TailStreams implements OnModuleDestroy {
  private readonly open = new Set<TailStream>();
  private readonly perTenant = new Map<string, number>();
  private readonly turns = bulkhead(READS_AT_ONCE, STREAMS_MAX);
  private readonly ownTurns = new Map<string, IPolicy>();
  private count = 0;
  private isStopping = false;

  constructor(
    private readonly tenants: TenantDatabase,
    private readonly watch: TickWatch,
  ) {}

  /**
   * Opens a stream behind the cursor, or from where the input says. Throws CursorInvalid, LogChanged, TooManyStreams or
   * StreamsUnavailable. Whoever opens it reads `items()` or calls `end()`.
   */
  async start(reader: Omit<TailReader, 'wants'>, input: TailInput): Promise<TailStream> {
    const { tenantId } = reader.caller;
    const after = input.after === undefined ? undefined : decodePosition(reader.caller, input.after);
    const leave = this.enter(tenantId);
    try {
      const position = await this.positionOf(after, input.from);
      if (this.isStopping) throw new StreamsUnavailable();
      const source = {
        tenants: this.tenants,
        watch: this.watch,
        inTurn: this.turnsOf(tenantId),
        paceMs: () => Math.min(PACE_MAX_MS, Math.max(PACE_MIN_MS, this.open.size * PACE_PER_STREAM_MS)),
      };
      const stream: TailStream = new TailStream(
        source,
        { ...reader, wants: filterOf(input) },
        position,
        () => {
          this.open.delete(stream);
          leave();
        },
      );
      this.open.add(stream);
      return stream;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends all streams. Readers come again with their cursors, which any other process takes. */
  onModuleDestroy(): void {
    this.isStopping = true;
    for (const stream of this.open) stream.end(new StreamsUnavailable());
  }

  /** Takes a place, of the process and of the tenant; answers how to give it back. */
  private enter(tenantId: string): () => void {
    const ofTenant = this.perTenant.get(tenantId) ?? 0;
    if (this.isStopping || this.count >= STREAMS_MAX) throw new StreamsUnavailable();
    if (ofTenant >= TENANT_STREAMS_MAX) throw new TooManyStreams(TENANT_STREAMS_MAX);
    this.perTenant.set(tenantId, ofTenant + 1);
    this.count += 1;
    const unwatch = this.watch.use();
    return () => {
      unwatch();
      this.count -= 1;
      const left = (this.perTenant.get(tenantId) ?? 1) - 1;
      if (left > 0) this.perTenant.set(tenantId, left);
      else {
        this.perTenant.delete(tenantId);
        this.ownTurns.delete(tenantId);
      }
    };
  }

  /** One read of a tenant at a time, and so many of all: whatever a tenant's reads cost, they leave the other turns alone. */
  private turnsOf(tenantId: string): TailSource['inTurn'] {
    const own = this.ownTurns.get(tenantId) ?? bulkhead(1, TENANT_STREAMS_MAX);
    this.ownTurns.set(tenantId, own);
    return (read) => own.execute(() => this.turns.execute(read));
  }

  private async positionOf(after: TailPosition | undefined, from: TailInput['from']): Promise<TailPosition> {
    // A cursor names ticks that were durable when it was handed out: a log that has not come so far is an older one.
    const { lineage, snapshot } = await this.watch.newest(OPENING_MAX_MS);
    if (!after) return { lineage, from: from === 'now' ? snapshot : NOTHING, to: null, afterSeq: 0n };
    const isOfOther = after.lineage !== 0n && after.lineage !== lineage;
    if (isOfOther || isLater(after.from, snapshot) || isLater(after.to ?? after.from, snapshot))
      throw new LogChanged();
    return after;
  }
}
