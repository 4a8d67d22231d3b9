import { type Caller, Forbidden, holds } from '@holdfast/kernel';
import { Cursors, Readings, TenantQuery, wholeNumber } from '@holdfast/cqrs';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { FeedFollowers } from './feed-followers';
import { feedLines } from './feed-metrics';
import { type FeedLine, feedLineView, type FeedPage, type FeedPosition, readFeedPage } from './feed-page';
import { findNewest } from './feed.sql';

/** Where to read the feed, and how long to wait for what is not there yet. */
export const auditFeedInput = z.strictObject({
  after: z.string().max(1_000).optional().meta({
    description: 'The cursor behind which to go on. It never expires.',
  }),
  from: z.enum(['beginning', 'now']).default('beginning').meta({
    description: 'Where to begin without a cursor.',
  }),
  limit: wholeNumber('Leaves of the log that are looked at.', { minimum: 1, maximum: 1_000, standard: 500 }),
  wait: wholeNumber('Seconds to wait where there is nothing yet.', { minimum: 0, maximum: 30, standard: 0 }),
});

/** A part of the feed on the wire. */
export const auditFeedView = z.object({
  data: z.array(feedLineView),
  nextCursor: z
    .string()
    .meta({ description: 'Goes on behind all of it; where there was nothing, at the same place.' }),
});

/** A part of the feed on the wire. */
export type AuditFeedView = z.output<typeof auditFeedView>;

/** The tenant's events in the order of its sealed log, oldest first. Throws CursorInvalid, TooManyFollowers. */
export class AuditFeed extends TenantQuery<z.output<typeof auditFeedInput>, AuditFeedView> {
  readonly scope = 'audit:read';

  constructor(
    caller: Caller,
    input: z.output<typeof auditFeedInput>,
    /** Admits the caller anew, who may have lost their credential while the request waits. */
    readonly readmit: () => Promise<Caller>,
  ) {
    super(caller, input);
  }
}

/** A credential that has ended is noticed within two seconds elsewhere, and within two more here. */
const READMIT_MS = 2_000;

const digits = z.string().regex(/^\d{1,18}$/);
const cursors = new Cursors('audit.feed', z.tuple([digits, digits]));

@QueryHandler(AuditFeed)
export class AuditFeedHandler implements IQueryHandler<AuditFeed> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
    private readonly followers: FeedFollowers,
  ) {}

  async execute({ caller, input, readmit }: AuditFeed): Promise<AuditFeedView> {
    const reader = new Reader(this.tenants, caller, readmit);
    const start = await reader.start(input);
    const first = await reader.read(start, input.limit);
    const found =
      first ??
      (input.wait > 0
        ? await this.followers.follow(caller.tenantId, input.wait * 1_000, () =>
            reader.read(start, input.limit),
          )
        : undefined);
    if (!found) return { data: [], nextCursor: encode(caller, start) };
    for (const { kind } of found.lines) feedLines.inc({ kind });
    if (found.lines.some(isNews)) await this.readings.record(caller, { what: 'feed' });
    return { data: [...found.lines], nextCursor: encode(caller, found.next) };
  }
}

/** Reads the feed for one request, by a grant that is renewed while it waits. */
class Reader {
  private admittedAtMs = performance.now();

  constructor(
    private readonly tenants: TenantDatabase,
    private caller: Caller,
    private readonly readmit: () => Promise<Caller>,
  ) {}

  async start({ after, from }: z.output<typeof auditFeedInput>): Promise<FeedPosition> {
    const position = cursors.decode(this.caller, after);
    if (position) return { epoch: Number(position[0]), index: BigInt(position[1]) };
    if (from === 'beginning') return BEGINNING;
    const newest = await this.tenants.reading(this.caller, findNewest);
    return newest ? { epoch: newest.epoch, index: newest.size } : BEGINNING;
  }

  /** What stands behind the position; undefined where nothing does. */
  async read(position: FeedPosition, limit: number): Promise<FeedPage | undefined> {
    if (performance.now() - this.admittedAtMs > READMIT_MS) {
      this.caller = await this.readmit();
      if (!holds(this.caller, 'audit:read')) throw new Forbidden('audit:read');
      this.admittedAtMs = performance.now();
    }
    const read = (tx: TenantTx): Promise<FeedPage> =>
      readFeedPage(tx, position, limit, (next) => encode(this.caller, next));
    const page = await this.tenants.reading(this.caller, read);
    return page.lines.length > 0 ? page : undefined;
  }
}

const BEGINNING: FeedPosition = { epoch: 1, index: 0n };

function encode(caller: Caller, { epoch, index }: FeedPosition): string {
  return cursors.encode(caller, [String(epoch), String(index)]);
}

/**
 * Whether the line tells of anything but readings of the trail. A follower who is told that they have read, and nothing
 * else, leaves no trace of that: it would be told to them in turn, for ever.
 */
function isNews({ event }: FeedLine): boolean {
  return event?.type !== 'audit.trail.read';
}
