import { type Caller, streamNameSchema } from '@holdfast/kernel';
import { CursorInvalid, Cursors, Page, pageInput, Readings, TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { StreamTooLong } from '../audit.errors';
import type { AuditEventRow } from '../trail/audit-event-view';
import { differenceView } from './difference-view';
import { type Change, StreamFold, VERSIONS_MAX } from './stream-fold';
import { readStream } from './streams.sql';

/** Whose versions to show. */
export const auditHistoryInput = z.strictObject({
  stream: streamNameSchema.meta({
    description: 'The entity, by its stream.',
    examples: ['ledger.account/019a0000-0000-7000-8000-000000000001'],
  }),
  ...pageInput,
});

type Input = z.output<typeof auditHistoryInput>;

/** One version of an entity: by which event, by whom and when it came to be, and what was different before. */
export const auditVersionView = z.object({
  version: z.string(),
  eventId: z.guid(),
  type: z.string(),
  actor: z.string(),
  act: z.string().nullable(),
  requestId: z.string(),
  occurredAt: z.string().meta({ description: 'RFC 3339, UTC, to the microsecond.' }),
  isPruned: z.boolean().meta({
    description: 'The retention has removed earlier versions: what this one changed is not known.',
  }),
  changes: z.array(differenceView),
});

/** One version of an entity. */
export type AuditVersionView = z.output<typeof auditVersionView>;

/** The versions of an entity, from its first on. Throws CursorInvalid, StreamTooLong. */
export class AuditHistory extends TenantQuery<Input, Page<AuditVersionView>> {
  readonly scope = 'audit:read';
}

const cursors = new Cursors('audit.history', z.tuple([z.string().max(200), z.string().regex(/^\d{1,19}$/)]));

@QueryHandler(AuditHistory)
export class AuditHistoryHandler implements IQueryHandler<AuditHistory> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: AuditHistory): Promise<Page<AuditVersionView>> {
    const stream = input.stream.toLowerCase();
    const after = positionOf(caller, stream, input.after);
    const versions = await this.tenants.reading(caller, (tx) =>
      versionsOf(tx, stream, after, input.limit + 1),
    );
    await this.readings.record(caller, { what: 'history', of: [stream] });
    const shown = versions.slice(0, input.limit);
    const cursorAt = (index: number): string => {
      const version = shown[index]?.version;
      return version === undefined ? '' : cursors.encode(caller, [stream, version]);
    };
    return new Page(shown, versions.length > input.limit ? cursorAt(shown.length - 1) : null, cursorAt);
  }
}

/** The version behind which the page begins; a cursor of another entity is none. */
function positionOf(caller: Caller, stream: string, cursor: string | undefined): bigint {
  const [of, version] = cursors.decode(caller, cursor) ?? [stream, '0'];
  if (of !== stream) throw new CursorInvalid();
  return BigInt(version);
}

/** Folds from the first version on, since what was different before is known by then alone. */
async function versionsOf(
  tx: TenantTx,
  stream: string,
  after: bigint,
  wanted: number,
): Promise<AuditVersionView[]> {
  const [type = '', id = ''] = stream.split('/');
  const fold = new StreamFold();
  const versions: AuditVersionView[] = [];
  let count = 0;
  for await (const row of readStream(tx, { type, id }, VERSIONS_MAX + 1)) {
    count += 1;
    if (count > VERSIONS_MAX) throw new StreamTooLong();
    const change = fold.take(row);
    if (row.stream_version > after) versions.push(showVersion(row, change, fold.isCut));
    if (versions.length === wanted) break;
  }
  return versions;
}

function showVersion(row: AuditEventRow, { changes }: Change, isPruned: boolean): AuditVersionView {
  return {
    version: row.stream_version.toString(),
    eventId: row.id,
    type: row.type,
    actor: row.actor,
    act: row.act,
    requestId: row.correlation_id,
    occurredAt: row.occurred_at,
    isPruned,
    changes: [...changes],
  };
}
