import type { Statement } from '@holdfast/database';
import type { z } from 'zod';
import { type EventType, findEventType, upcastPayload } from './event-types';

/** What is known of one aggregate, by field. A field that no event has said anything about is not there. */
export type FoldedState = Readonly<Record<string, unknown>>;

/** An event of the log, as far as folding needs it. */
export interface FoldedEvent {
  readonly id: string;
  readonly streamType: string;
  readonly streamId: string;
  readonly streamVersion: bigint;
  readonly type: string;
  readonly schemaVersion: number;
  /** RFC 3339, UTC, to the microsecond. */
  readonly occurredAt: string;
  readonly data: unknown;
}

/** What a reaction may look at besides the payload. */
export interface FoldContext<State> {
  /** What is known of the aggregate so far; empty at its beginning. */
  readonly state: Readonly<Partial<State>>;
  /** Which aggregate: the event's own stream, or one of those that `elsewhere` has named. */
  readonly id: string;
  /** What is known of the aggregate whose stream the event is on, before the event. */
  readonly source: FoldedState;
  readonly event: FoldedEvent;
}

type Apply<S extends z.ZodType, State> = (
  payload: z.output<S>,
  context: FoldContext<State>,
) => Partial<State> | null;

/** What an aggregate makes of events of one type. */
export interface Reaction {
  readonly type: string;
  /** The aggregates that an event of another stream type is about; undefined: the one whose stream it is on. */
  readonly idsOf: ((payload: unknown) => readonly string[]) | undefined;
  readonly apply: (payload: unknown, context: FoldContext<FoldedState>) => FoldedState | null;
}

/** Declares reactions, typed by the schemas of the events and by the aggregate's state. */
export interface On<State> {
  /** What an event of the aggregate's own stream changes: the fields that it sets, or null where the row is gone for good. */
  <S extends z.ZodType>(type: EventType<S>, apply: Apply<S, State>): Reaction;
  /** The same for an event of another aggregate's stream, about those that `idsOf` finds in it. */
  elsewhere<S extends z.ZodType>(
    type: EventType<S>,
    idsOf: (payload: z.output<S>) => readonly string[],
    apply: Apply<S, State>,
  ): Reaction;
}

/** A row as it has to be by the fold: fields called as those of the state. */
export type AggregateRow<State> = { readonly id: string; readonly streamVersion: bigint | null } & {
  readonly [Field in keyof State]?: unknown;
};

/** How the events of a stream type make up state, and where the same state stands in a table. */
export interface Aggregate {
  readonly streamType: string;
  readonly reactions: ReadonlyMap<string, Reaction>;
  readonly rows: Statement<AggregateRow<FoldedState>>;
  readonly eventsElsewhere: Statement<{ readonly streamType: string; readonly streamId: string }> | undefined;
  readonly isTenantItself: boolean;
}

interface AggregateDeclaration<State> {
  /**
   * The rows of a tenant ($1) whose id is greater than $2, by id, at most $3. `streamVersion` is the version that the
   * row's stream has by the row; null where the row does not tell.
   */
  readonly rows: Statement<AggregateRow<State>>;
  /** Of an aggregate that listens to others: the streams on which something may stand about the aggregate $2, at most $3. */
  readonly eventsElsewhere?: Statement<{ readonly streamType: string; readonly streamId: string }>;
  /**
   * There is one a tenant, with the tenant's id. An imported tenant has streams of the tenant it was exported from; they
   * come before its own.
   */
  readonly isTenantItself?: boolean;
  readonly on: (on: On<State>) => readonly Reaction[];
}

const aggregates = new Map<string, Aggregate>();
const facts = new Map<string, string>();

/**
 * Declares how events of a stream type fold to state, once, in a module's `*.aggregates.ts`. Pure: `GET /v1/audit/state`
 * folds one aggregate up to an instant with it, and `holdfast audit fold` a whole tenant, and holds that against `rows`.
 *
 * Fields that events leave out (names, addresses) are left out of the state as well. A test requires an aggregate for each
 * stream type that is declared, or `facts`.
 */
export function aggregate<State extends object>(
  streamType: string,
  { rows, eventsElsewhere, isTenantItself = false, on }: AggregateDeclaration<State>,
): Aggregate {
  requireFree(streamType);
  const reactions = new Map(on(reactionsOf<State>()).map((each) => [each.type, each]));
  const declared = { streamType, reactions, rows, eventsElsewhere, isTenantItself };
  aggregates.set(streamType, declared);
  return declared;
}

/** Says that events of a stream type are facts that change no state of the product, and why. */
export function factsOnly(streamType: string, reason: string): void {
  requireFree(streamType);
  facts.set(streamType, reason);
}

/** Every aggregate that this process knows, in the order of their stream types. */
export function listAggregates(): readonly Aggregate[] {
  return [...aggregates.values()].toSorted((one, other) => (one.streamType < other.streamType ? -1 : 1));
}

/** The aggregate of a stream type, if this process knows it. */
export function findAggregate(streamType: string): Aggregate | undefined {
  return aggregates.get(streamType);
}

/** Why events of a stream type fold to nothing; undefined where they do fold, or are not known. */
export function reasonForFacts(streamType: string): string | undefined {
  return facts.get(streamType);
}

/** What an event says, brought up to the latest version of its type and held to its schema. Throws where it does not fit. */
export function payloadOf({ type, schemaVersion, data }: FoldedEvent): unknown {
  const known = findEventType(type);
  if (!known) throw new EventNotFoldable(`no event type ${type} is known`);
  if (schemaVersion > known.schemaVersion)
    throw new EventNotFoldable(`${type} has version ${schemaVersion}; ${known.schemaVersion} is known`);
  const parsed = known.schema.safeParse(upcastPayload(type, schemaVersion, data));
  if (!parsed.success) throw new EventNotFoldable(`the payload is none of ${type} ${schemaVersion}`);
  return parsed.data;
}

/** An event that the code cannot read: of a later release, or altered. */
export class EventNotFoldable extends Error {
  override readonly name = 'EventNotFoldable';
}

/**
 * The state of the aggregate `id` behind an event, from that before it. An event that the aggregate does not react to leaves
 * the state as it is; null says that the row is gone. `source` is the state of the event's own stream before the event,
 * where that is another aggregate's. Throws EventNotFoldable.
 */
export function foldEvent(
  { streamType, reactions }: Aggregate,
  state: FoldedState | null,
  event: FoldedEvent,
  { id = event.streamId, source }: { readonly id?: string; readonly source?: FoldedState } = {},
): FoldedState | null {
  const reaction = reactions.get(event.type);
  const isOwn = event.streamType === streamType;
  if (!reaction || isOwn === (reaction.idsOf !== undefined)) return state;
  const known = state ?? {};
  const patch = reaction.apply(payloadOf(event), { state: known, id, source: source ?? known, event });
  if (patch === null) return null;
  // What an event makes unknown is taken out.
  const next = Object.entries({ ...known, ...patch }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(next);
}

/** The state that a stream's events make, in their order, before the version `before`, or all of it. Throws EventNotFoldable. */
export function foldStream(
  streamType: string,
  events: readonly FoldedEvent[],
  before?: bigint,
): FoldedState | null {
  const folding = findAggregate(streamType);
  if (!folding) return null;
  return events
    .filter(({ streamVersion }) => before === undefined || streamVersion < before)
    .reduce<FoldedState | null>((state, event) => foldEvent(folding, state, event), null);
}

function reactionsOf<State>(): On<State> {
  const reaction = (
    type: EventType,
    idsOf: Reaction['idsOf'],
    apply: (payload: never, context: FoldContext<State>) => Partial<State> | null,
  ): Reaction => ({ type: type.type, idsOf, apply: apply as Reaction['apply'] });
  const own = <S extends z.ZodType>(type: EventType<S>, apply: Apply<S, State>): Reaction =>
    reaction(type, undefined, apply);
  const elsewhere: On<State>['elsewhere'] = (type, idsOf, apply) =>
    reaction(type, idsOf as Reaction['idsOf'], apply);
  return Object.assign(own, { elsewhere });
}

function requireFree(streamType: string): void {
  if (aggregates.has(streamType) || facts.has(streamType))
    throw new Error(`events of ${streamType} are declared twice`);
}
