import type { Caller } from '@holdfast/kernel';
import {
  type Aggregate,
  type AggregateRow,
  EventNotFoldable,
  findAggregate,
  type FoldedEvent,
  type FoldedState,
  foldEvent,
  listAggregates,
  payloadOf,
  reasonForFacts,
  type TenantDatabase,
  type TenantTx,
} from '@holdfast/tenancy';
import { findNextStreamType, isPruned, liftTimeout, listEventsOfType } from '../state/folded-events.sql';
import { isSameFact } from './same-fact';

/** Where the tables and the fold of the events differ. */
export interface FoldDifference {
  /** `<type>/<id>`. */
  readonly stream: string;
  /** The field, or what is wrong with the whole: `row`, `events`, `version`, `event`. */
  readonly field: string;
  readonly table: unknown;
  readonly fold: unknown;
}

/** What came of comparing a tenant's tables with the fold of all its events. */
export interface FoldReport {
  readonly events: number;
  readonly aggregates: number;
  /** How many differences there are, of which the first thousand are listed. */
  readonly differenceCount: number;
  readonly differences: readonly FoldDifference[];
  /** Streams whose first events the retention has taken away: nothing can be said of them. */
  readonly prunedStreams: number;
  /** Stream types of which no module that is loaded says what they make, as those of a later release: not compared. */
  readonly unknownTypes: readonly string[];
}

/** Of a tenant with more differences the whole is to be looked at, and not each. */
const LISTED_MAX = 1_000;
/** A page of events and rows: some hundred kilobytes. */
const PAGE = 1_000;
/** Aggregates that follow from other aggregates' streams are held in memory, with some 500 bytes each. */
const HELD_MAX = 1_000_000;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** More aggregates follow from other streams than are held in memory at a time. */
export class TooManyToFold extends Error {
  override readonly name = 'TooManyToFold';
}

/**
 * Folds all events of the caller's tenant and compares the outcome with its tables: each aggregate's fields, its version, rows
 * without events and events without rows. All of it in one snapshot, so that whoever writes meanwhile raises no false
 * alarm; events and rows are read side by side in pages, each aggregate forgotten once it is compared.
 */
export function foldTenant(
  tenants: TenantDatabase,
  caller: Caller,
  { onPage }: { readonly onPage?: (events: number) => void } = {},
): Promise<FoldReport> {
  return tenants.inOneSnapshot(caller, async (tx) => {
    await liftTimeout(tx);
    return new TenantFold(tx, onPage).run();
  });
}

/** What the events of one stream make, as far as they can be read. */
interface FoldedStream {
  readonly id: string;
  readonly state: FoldedState | null;
  readonly version: bigint;
  /** Nothing more is said of it: an event cannot be read, or the first are gone. */
  readonly isBroken: boolean;
}

class TenantFold {
  private readonly differences: FoldDifference[] = [];
  private differenceCount = 0;
  private events = 0;
  private aggregates = 0;
  private prunedStreams = 0;
  private arePruned = false;
  /** By stream type, by id: what other aggregates' streams have said. */
  private readonly held = new Map<string, Map<string, FoldedState | null>>();

  constructor(
    private readonly tx: TenantTx,
    private readonly onPage: ((events: number) => void) | undefined,
  ) {}

  async run(): Promise<FoldReport> {
    this.arePruned = await isPruned(this.tx);
    // Those that follow from others come behind them.
    const listening = (each: Aggregate): boolean => [...each.reactions.values()].some(({ idsOf }) => idsOf);
    for (const aggregate of listAggregates().toSorted(
      (one, other) => Number(listening(one)) - Number(listening(other)),
    ))
      await this.compare(aggregate);
    return {
      events: this.events,
      aggregates: this.aggregates,
      differenceCount: this.differenceCount,
      differences: this.differences,
      prunedStreams: this.prunedStreams,
      unknownTypes: await this.unknownTypes(),
    };
  }

  /** Goes through streams and rows of an aggregate in the order of their ids. */
  private async compare(aggregate: Aggregate): Promise<void> {
    const rows = this.rowsOf(aggregate);
    let row = await rows.next();
    for await (const stream of this.streamsOf(aggregate)) {
      while (!row.done && row.value.id < stream.id) {
        this.compareOne(aggregate, undefined, row.value);
        row = await rows.next();
      }
      const same = !row.done && row.value.id === stream.id ? row.value : undefined;
      // Streams of the tenant that this one was exported from.
      const isForeign = aggregate.isTenantItself && stream.id !== this.tx.tenantId;
      if (same || !isForeign) this.compareOne(aggregate, stream, same);
      if (same) row = await rows.next();
    }
    for (; !row.done; row = await rows.next()) this.compareOne(aggregate, undefined, row.value);
  }

  private compareOne(
    { streamType, isTenantItself, reactions }: Aggregate,
    stream: FoldedStream | undefined,
    row: AggregateRow<FoldedState> | undefined,
  ): void {
    this.aggregates += 1;
    if (stream?.isBroken) return;
    const name = `${streamType}/${stream?.id ?? row?.id}`;
    if (!stream) {
      // What an imported tenant has here is on a stream of another id.
      if (!isTenantItself && !this.arePruned) this.differ(name, 'events', 'a row', 'no events');
      return;
    }
    if (!row || stream.state === null) {
      if (row || stream.state !== null)
        this.differ(name, 'row', row ? 'a row' : 'no row', stream.state === null ? 'no row' : 'a row');
      return;
    }
    const { streamVersion } = row;
    if (streamVersion !== null && streamVersion !== stream.version)
      this.differ(name, 'version', String(streamVersion), String(stream.version));
    // Of entries that are gone the sums cannot be made.
    const isSummed = this.arePruned && [...reactions.values()].some(({ idsOf }) => idsOf);
    if (isSummed) this.prunedStreams += 1;
    else this.compareFields(name, stream.state, row);
  }

  private compareFields(name: string, state: FoldedState, row: AggregateRow<FoldedState>): void {
    for (const [field, folded] of Object.entries(state)) {
      if (field in row && !isSameFact(folded, row[field])) this.differ(name, field, row[field], folded);
    }
  }

  private async *rowsOf({ rows }: Aggregate): AsyncGenerator<AggregateRow<FoldedState>, undefined> {
    let after = BEFORE_ALL;
    for (;;) {
      const page = await this.tx.rows(rows, [this.tx.tenantId, after, PAGE]);
      yield* page;
      after = page.at(-1)?.id ?? after;
      if (page.length < PAGE) return;
    }
  }

  private async *streamsOf(aggregate: Aggregate): AsyncGenerator<FoldedStream> {
    const begun = this.held.get(aggregate.streamType);
    let stream: FoldedStream | undefined;
    for await (const event of this.eventsOf(aggregate.streamType)) {
      if (stream && stream.id !== event.streamId) yield stream;
      const before: FoldedStream =
        stream?.id === event.streamId
          ? stream
          : { id: event.streamId, state: begun?.get(event.streamId) ?? null, version: 0n, isBroken: false };
      begun?.delete(event.streamId);
      stream = this.step(aggregate, before, event);
    }
    if (stream) yield stream;
    for (const id of begun?.keys() ?? [])
      this.differ(`${aggregate.streamType}/${id}`, 'events', 'unknown', 'no events of its own');
    this.held.delete(aggregate.streamType);
  }

  private async *eventsOf(streamType: string): AsyncGenerator<FoldedEvent> {
    let after = { streamId: BEFORE_ALL, streamVersion: 0n };
    for (;;) {
      const page = await listEventsOfType(this.tx, streamType, after, PAGE);
      yield* page;
      this.events += page.length;
      this.onPage?.(this.events);
      after = page.at(-1) ?? after;
      if (page.length < PAGE) return;
    }
  }

  private step(aggregate: Aggregate, before: FoldedStream, event: FoldedEvent): FoldedStream {
    const { id, version } = before;
    const stream = { id, version: event.streamVersion };
    if (before.isBroken) return { ...stream, state: null, isBroken: true };
    if (event.streamVersion !== version + 1n)
      return { ...stream, state: null, isBroken: this.gap(before, event) };
    try {
      this.tellOthers(event, before.state);
      return { ...stream, state: foldEvent(aggregate, before.state, event), isBroken: false };
    } catch (error) {
      if (!(error instanceof EventNotFoldable)) throw error;
      this.differ(`${event.streamType}/${id}`, 'event', event.id, error.message);
      return { ...stream, state: null, isBroken: true };
    }
  }

  /** Notes that versions are missing before the event, unless the retention has taken them. */
  private gap({ version }: FoldedStream, { streamType, streamId, streamVersion }: FoldedEvent): boolean {
    if (version === 0n && this.arePruned) this.prunedStreams += 1;
    else
      this.differ(
        `${streamType}/${streamId}`,
        'version',
        `${streamVersion} follows ${version}`,
        `${version + 1n} is missing`,
      );
    return true;
  }

  /** Hands the event to aggregates that listen to it, with what its own was before it. */
  private tellOthers(event: FoldedEvent, source: FoldedState | null): void {
    for (const listener of listenersOf(event.type)) {
      const { idsOf } = listener.reactions.get(event.type) ?? {};
      const states = this.held.get(listener.streamType) ?? new Map<string, FoldedState | null>();
      this.held.set(listener.streamType, states);
      for (const id of idsOf?.(payloadOf(event)) ?? []) {
        states.set(id, foldEvent(listener, states.get(id) ?? null, event, { id, source: source ?? {} }));
      }
      if (states.size > HELD_MAX) throw new TooManyToFold(`${listener.streamType}: more than ${HELD_MAX}`);
    }
  }

  private differ(stream: string, field: string, table: unknown, fold: unknown): void {
    this.differenceCount += 1;
    if (this.differences.length < LISTED_MAX) this.differences.push({ stream, field, table, fold });
  }

  /** Types of streams that there are and that nobody knows. There are some dozens of types, and one look-up for each. */
  private async unknownTypes(): Promise<string[]> {
    const unknown: string[] = [];
    let type = await findNextStreamType(this.tx, '');
    for (; type !== undefined; type = await findNextStreamType(this.tx, type)) {
      if (!findAggregate(type) && reasonForFacts(type) === undefined) unknown.push(type);
    }
    return unknown;
  }
}

function listenersOf(type: string): readonly Aggregate[] {
  let listeners = listening.get(type);
  if (!listeners) {
    listeners = listAggregates().filter(({ reactions }) => reactions.get(type)?.idsOf !== undefined);
    listening.set(type, listeners);
  }
  return listeners;
}

/** By event type; what is declared when a process starts does not change. */
const listening = new Map<string, readonly Aggregate[]>();
