import { instantSchema, NotFound, streamNameSchema } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import {
  type Aggregate,
  EventNotFoldable,
  findAggregate,
  type FoldedEvent,
  type FoldedState,
  foldEvent,
  reasonForFacts,
  TenantDatabase,
  type TenantTx,
} from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { isPruned, listEventsOfStream, listEventsOfStreams, type StreamName } from './folded-events.sql';
import { NoState, StateNotFoldable, StatePruned, TooManyEvents } from './state.errors';

/** Which aggregate, and when. */
export const auditStateInput = z.strictObject({
  stream: streamNameSchema.meta({
    description: 'The aggregate, by its stream.',
    examples: ['ledger.account/019a0000-0000-7000-8000-000000000001'],
  }),
  at: instantSchema.optional().meta({
    description: 'The instant, what happened at it included. Without it: as things stand.',
  }),
});

/** The state of one aggregate, folded from its events. */
export const auditStateView = z.object({
  stream: z.object({ type: z.string(), id: z.guid() }),
  version: z
    .string()
    .meta({ description: 'The version that its last event took the stream to; `0` before its first.' }),
  at: z.string().nullable().meta({ description: 'The instant that was asked for.' }),
  lastEventAt: z.string().nullable().meta({ description: 'When the last event of the stream happened.' }),
  events: z.int().meta({ description: 'How many events were folded, those of other streams included.' }),
  state: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: 'What events say of it; null before its first event and once it is gone.' }),
});

/** The state of one aggregate. */
export type AuditStateView = z.output<typeof auditStateView>;

/** What an aggregate of the tenant was at an instant, folded from its events. */
export class AuditState extends TenantQuery<z.output<typeof auditStateInput>, AuditStateView> {
  readonly scope = 'audit:read';
}

/** As many as take about half a second, and more than any aggregate but accounts will have. */
const EVENTS_MAX = 10_000;

@QueryHandler(AuditState)
export class AuditStateHandler implements IQueryHandler<AuditState> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: AuditState): Promise<AuditStateView> {
    const [streamType = '', id = ''] = input.stream.split('/');
    const stream = { streamType, streamId: id.toLowerCase() };
    const at = input.at ?? null;
    const view = await this.tenants.inOneSnapshot(caller, (tx) => stateAt(tx, stream, at));
    await this.readings.record(caller, { what: 'state', of: [`${streamType}/${stream.streamId}`] });
    return view;
  }
}

async function stateAt(tx: TenantTx, stream: StreamName, at: string | null): Promise<AuditStateView> {
  const aggregate = findAggregate(stream.streamType);
  const own = await listEventsOfStream(tx, stream, { at, limit: EVENTS_MAX + 1 });
  const first = own[0] ?? (await listEventsOfStream(tx, stream, { limit: 1 }))[0];
  if (!first) throw new NotFound();
  if (!aggregate)
    throw reasonForFacts(stream.streamType) === undefined ? new StateNotFoldable(undefined) : new NoState();
  await requireBeginning(tx, [first]);
  const elsewhere = own.length === 0 ? [] : await eventsElsewhere(tx, aggregate, stream, at);
  if (own.length + elsewhere.length > EVENTS_MAX) throw new TooManyEvents(EVENTS_MAX);
  await requireBeginning(tx, elsewhere);
  const last = own.at(-1);
  return {
    stream: { type: stream.streamType, id: stream.streamId },
    version: String(last?.streamVersion ?? 0n),
    at,
    lastEventAt: last?.occurredAt ?? null,
    events: own.length + elsewhere.length,
    state: folded(aggregate, stream.streamId, own, elsewhere),
  };
}

/** Events, stream by stream: each stream has to begin with its first version. */
async function requireBeginning(tx: TenantTx, events: readonly FoldedEvent[]): Promise<void> {
  const isCut = events.some(
    ({ streamId, streamVersion }, at) => streamVersion > 1n && events[at - 1]?.streamId !== streamId,
  );
  if (isCut) throw (await isPruned(tx)) ? new StatePruned() : new StateNotFoldable(undefined);
}

/** What other aggregates' streams say of this one, their whole streams: the end of a hold is understood by its beginning. */
async function eventsElsewhere(
  tx: TenantTx,
  { eventsElsewhere: statement }: Aggregate,
  { streamId }: StreamName,
  at: string | null,
): Promise<FoldedEvent[]> {
  if (!statement) return [];
  const streams = await tx.rows(statement, [tx.tenantId, streamId, EVENTS_MAX + 1]);
  if (streams.length > EVENTS_MAX) throw new TooManyEvents(EVENTS_MAX);
  return listEventsOfStreams(tx, streams, { at, limit: EVENTS_MAX + 1 });
}

function folded(
  aggregate: Aggregate,
  id: string,
  own: readonly FoldedEvent[],
  elsewhere: readonly FoldedEvent[],
): FoldedState | null {
  try {
    const begun = foldElsewhere(aggregate, id, elsewhere);
    return own.reduce<FoldedState | null>((state, event) => foldEvent(aggregate, state, event), begun);
  } catch (error) {
    throw error instanceof EventNotFoldable ? new StateNotFoldable(error) : error;
  }
}

function foldElsewhere(aggregate: Aggregate, id: string, events: readonly FoldedEvent[]): FoldedState | null {
  let state: FoldedState | null = null;
  let source: FoldedState | null = null;
  let stream = '';
  for (const event of events) {
    const name = `${event.streamType}/${event.streamId}`;
    if (name !== stream) source = null;
    stream = name;
    state = foldEvent(aggregate, state, event, { id, source: source ?? {} });
    const other = findAggregate(event.streamType);
    source = other ? foldEvent(other, source, event) : null;
  }
  return state;
}
