import type { Caller, CommittedEvent } from '@holdfast/kernel';
import { type Access, type Connection, OutcomeUnknown, statement, Transaction } from '@holdfast/database';
import type { Vault } from '@holdfast/vault';
import { type Announcement, committedEventOf } from './announcement';

const ENTER = statement('tenancy.enter', 'select tenancy.enter($1)');

const APPEND = statement(
  'events.append',
  `select events.append($1::uuid[], $2::text[], $3::int[], $4::text[], $5::uuid[], $6::bigint[], $7::jsonb[],
     $8::text[], $9::text[], $10::text[], $11::text[], $12::int[])`,
);

/**
 * A transaction of one tenant. It begins with `tenancy.enter(grant)`, so PostgreSQL itself knows the tenant and the actor
 * from a signature that no statement inside can make; every policy verifies it again.
 *
 * Statements still carry `tenant_id = $n` (`tx.tenantId`): the policy is the net, not the route.
 */
export class TenantTx extends Transaction {
  readonly tenantId: string;
  private readonly toCommit: CommittedEvent[] = [];
  /** What is kept back to be appended at once. */
  private collected: Announcement[] | undefined;
  /** Events of other requests, and who they are told to. */
  private readonly toTell: { readonly to: Caller; readonly event: CommittedEvent }[] = [];
  private readonly atEnd: ((isCommitted: boolean | undefined) => void)[] = [];

  constructor(
    connection: Connection,
    private acting: Caller,
    access: Access = 'read write',
    /** Keeps personal values of events; without it they are kept nowhere, and the log has the commitments alone. */
    readonly vault?: Vault,
  ) {
    super(connection, access);
    this.tenantId = acting.tenantId;
  }

  /** For whom it acts. */
  get caller(): Caller {
    return this.acting;
  }

  /** Does work for another request of the same grant: its events are that request's. No other work may run meanwhile. */
  async inNameOf<T>(caller: Caller, work: () => Promise<T>): Promise<T> {
    const before = this.acting;
    if (caller.grant !== before.grant) throw new Error('a transaction acts under one grant');
    this.acting = caller;
    try {
      return await work();
    } finally {
      this.acting = before;
    }
  }

  /**
   * Appends events to the log in this transaction. The caller holds a lock on each event's key (the aggregate's row)
   * until the commit: that is what makes log order real order for the key. Throws Conflict when the stream has moved on, and
   * VaultUnavailable when personal values cannot be kept.
   */
  async announce(...announcements: readonly Announcement[]): Promise<void> {
    if (this.collected)
      this.collected.push(...announcements.map((each) => ({ origin: this.caller, ...each })));
    else await this.append(announcements);
  }

  /**
   * Keeps back what is announced from here on, until `appendCollected` appends all of it in one statement: that costs as much as some
   * fifteen events.
   */
  collectEvents(): void {
    this.collected ??= [];
  }

  /** Resolves once nothing more has to be issued. Whether the events were appended is known when the transaction is committed. */
  async appendCollected(): Promise<void> {
    const { collected = [] } = this;
    this.collected = undefined;
    const appended = this.append(collected);
    appended.catch(() => {}); // The commit tells.
    if (collected.some(({ personal = [] }) => personal.length > 0)) await appended;
  }

  private async append(announcements: readonly Announcement[]): Promise<void> {
    if (announcements.length === 0) return;
    // The digests cost some microseconds, which only a receipt is worth.
    for (const each of announcements) this.noteOrigin(each);
    const each = <T>(pick: (announcement: Announcement) => T): T[] => announcements.map(pick);
    await this.rows(APPEND, [
      each((event) => event.id),
      each((event) => event.type),
      each((event) => event.schemaVersion),
      each((event) => event.streamType),
      each((event) => event.streamId),
      each((event) => event.streamVersion),
      each((event) => event.payload),
      each(({ origin = this.caller }) => origin.requestId),
      each(({ origin = this.caller }) => origin.causationId ?? null),
      each(({ origin = this.caller }) => origin.traceparent ?? null),
      ...this.grantsOf(announcements),
    ]);
    const values = announcements.flatMap((event) => event.personal ?? []);
    if (values.length > 0) await this.vault?.keep(this, values);
  }

  /** The grants that the events are appended under, and which is whose; nulls where all are under that of the transaction. */
  private grantsOf(announcements: readonly Announcement[]): readonly [string[] | null, number[] | null] {
    const under = announcements.map(({ origin = this.caller }) => origin.grant);
    if (under.every((grant) => grant === this.caller.grant)) return [null, null];
    const grants = [...new Set(under)];
    return [grants, under.map((grant) => grants.indexOf(grant) + 1)];
  }

  private noteOrigin({ origin = this.caller, ...event }: Announcement): void {
    if (!origin.committed) return;
    if (origin === this.caller) this.noteEvents([committedEventOf(event)]);
    else this.toTell.push({ to: origin, event: committedEventOf(event) });
  }

  /** What the commit of this transaction puts into the log, or an earlier one's did for the same request. */
  get events(): readonly CommittedEvent[] {
    return this.toCommit;
  }

  /** Notes events that another statement than `announce` writes, for the receipt of the request. */
  noteEvents(events: readonly CommittedEvent[]): void {
    this.toCommit.push(...events);
  }

  /** The events of what was undone are not committed, and what it wanted to be told has not happened. */
  override async savepoint<T>(work: () => Promise<T>): Promise<T> {
    const noted = [this.toCommit, this.toTell, this.collected ?? []];
    const before = noted.map(({ length }) => length);
    const toldBefore = this.atEnd.length;
    try {
      return await super.savepoint(work);
    } catch (error) {
      for (const [at, events] of noted.entries()) events.length = before[at] ?? 0;
      for (const callback of this.atEnd.splice(toldBefore)) callback(false);
      throw error;
    }
  }

  /**
   * Calls back once the transaction has ended, and says whether it was committed; undefined where nobody knows. For what need not happen:
   * who dies in between calls nobody.
   */
  onEnd(callback: (isCommitted: boolean | undefined) => void): void {
    this.atEnd.push(callback);
  }

  /** Once committed, and not before, the events are the request's. */
  override async run<T>(...run: Parameters<typeof Transaction.prototype.run<T>>): Promise<T> {
    let isCommitted: boolean | undefined = false;
    try {
      const result = await super.run(...run);
      isCommitted = true;
      this.caller.committed?.add(this.tenantId, this.toCommit);
      for (const { to, event } of this.toTell) to.committed?.add(this.tenantId, [event]);
      return result;
    } catch (error) {
      if (error instanceof OutcomeUnknown) isCommitted = undefined;
      throw error;
    } finally {
      for (const callback of this.atEnd) callback(isCommitted);
    }
  }

  protected override opening(
    begin: Parameters<Transaction['opening']>[0],
  ): ReturnType<Transaction['opening']> {
    // `tenancy.enter` resets the session before it sets the context: three messages less in every transaction.
    return [begin, { ...ENTER, values: [this.caller.grant] }];
  }
}
