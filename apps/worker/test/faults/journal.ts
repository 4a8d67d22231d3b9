import { setTimeout as sleep } from 'node:timers/promises';
import { OutcomeUnknown, statement } from '@holdfast/database';
import { type Caller, DomainError, newId } from '@holdfast/kernel';
import type { TenantDatabase, TenantTx } from '@holdfast/tenancy';
import { Random, type TestDatabase } from '@holdfast/testing';

const MOVE = statement<{ key: string; version: bigint }>(
  'test.move_keys',
  `update probe.keys k set version = version + 1
   from (
     select key from probe.keys where tenant_id = $1 and key = any ($2::uuid[]) order by key for no key update
   ) locked
   where k.tenant_id = $1 and k.key = locked.key
   returning k.key, k.version`,
);
const FIND = statement<{ id: string }>(
  'test.find_event',
  'select id from events.log where tenant_id = $1 and id = $2',
);

/** What a writer knows of a transaction: it writes the entry before it begins and again when it hears. */
export interface Entry {
  readonly tenantId: string;
  /** One event for each of the keys. */
  readonly moves: readonly { readonly key: string; readonly id: string }[];
  outcome: 'unknown' | 'ok' | 'failed';
  /** When it was heard, in milliseconds of `performance.now`. */
  heardAtMs: number;
}

/** How much is written. */
export interface WritersOptions {
  readonly tenants: number;
  readonly keysPerTenant?: number;
  readonly writers?: number;
  /** Pause of a writer between two transactions, at most. */
  readonly pauseMs?: number;
  /** What an event carries besides its envelope. */
  readonly payloadBytes?: number;
  readonly seed: number;
}

/**
 * Writers that commit transactions of one to three events and keep a journal. Each event is the next version of its key,
 * drawn under the lock of the key's row: so its stream version is the real order of the key.
 */
export class Writers {
  readonly journal: Entry[] = [];
  readonly tenantIds: readonly string[];
  private readonly callers: Caller[] = [];
  private readonly keys: string[] = [];
  private readonly stopping = new AbortController();
  private writing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly tenants: TenantDatabase,
    private readonly options: WritersOptions,
  ) {
    this.tenantIds = Array.from({ length: options.tenants }, () => newId());
  }

  /** Prepares tenants and keys; nothing is written before `start`. */
  static async prepare(database: TestDatabase, options: WritersOptions): Promise<Writers> {
    const writers = new Writers(database.tenants((options.writers ?? WRITERS) + 1), options);
    for (let n = 0; n < (options.keysPerTenant ?? KEYS); n += 1) writers.keys.push(newId());
    for (const tenantId of writers.tenantIds) {
      writers.callers.push(await database.caller(tenantId));
      await database.admin('insert into probe.keys (tenant_id, key) select $1, unnest($2::uuid[])', [
        tenantId,
        writers.keys,
      ]);
    }
    return writers;
  }

  /** Begins to write. */
  start(): void {
    const { seed, writers = WRITERS } = this.options;
    this.writing = Promise.all(
      Array.from({ length: writers }, (_, n) => this.write(new Random(seed * 31 + n))),
    );
  }

  /** Ends the writing and finds out about every outcome that is unknown, by doing the same again with the same ids. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.writing;
    for (const entry of this.journal) await this.settle(entry);
  }

  /** One transaction of a tenant on some keys. */
  async commit(tenantId: string, keys: readonly string[] = this.keys.slice(0, 1)): Promise<Entry> {
    const moves = keys.map((key) => ({ key, id: newId() }));
    const entry: Entry = { tenantId, moves, outcome: 'unknown', heardAtMs: 0 };
    this.journal.push(entry);
    try {
      await this.tenants.transaction(this.callerOf(tenantId), (tx) => this.append(tx, moves));
      entry.outcome = 'ok';
    } catch (error) {
      const isOpen = error instanceof OutcomeUnknown || isCut(error);
      if (!isOpen && !(error instanceof DomainError)) throw error;
      // Every other refusal says that nothing was changed, and is held to it.
      entry.outcome = isOpen ? 'unknown' : 'failed';
    }
    entry.heardAtMs = performance.now();
    return entry;
  }

  private async write(random: Random): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const tenantId = random.pick(this.tenantIds);
      const keys = [...new Set(Array.from({ length: random.between(1, 3) }, () => random.pick(this.keys)))];
      const { outcome } = await this.commit(tenantId, keys);
      // A server that is away is not asked a thousand times a second.
      const pauseMs = outcome === 'ok' ? random.next() * (this.options.pauseMs ?? PAUSE_MS) : 100;
      await sleep(pauseMs, undefined, { signal }).catch(() => {}); // Stopped.
    }
  }

  private async settle(entry: Entry): Promise<void> {
    const [first] = entry.moves;
    if (entry.outcome !== 'unknown' || !first) return;
    await this.tenants.transaction(this.callerOf(entry.tenantId), async (tx) => {
      // A transaction commits as a whole: its first event tells of all.
      if (!(await tx.row(FIND, [tx.tenantId, first.id]))) await this.append(tx, entry.moves);
    });
    entry.outcome = 'ok';
  }

  private async append(tx: TenantTx, moves: Entry['moves']): Promise<void> {
    const payload = JSON.stringify({ filling: 'x'.repeat(this.options.payloadBytes ?? 0) });
    const versions = await tx.rows(MOVE, [tx.tenantId, moves.map(({ key }) => key)]);
    await tx.announce(
      ...versions.map(({ key, version }) => ({
        id: moves.find((move) => move.key === key)?.id ?? newId(),
        type: 'probe.key.moved',
        schemaVersion: 1,
        streamType: 'probe.key',
        streamId: key,
        streamVersion: version,
        payload,
      })),
    );
  }

  private callerOf(tenantId: string): Caller {
    const caller = this.callers[this.tenantIds.indexOf(tenantId)];
    if (!caller) throw new Error('no such tenant');
    return caller;
  }
}

const WRITERS = 3;
const KEYS = 5;
/** Three writers commit about 100 transactions a second with it: load, and not what saturates two cores. */
const PAUSE_MS = 40;

/** Whether it is a system's error about a connection; those of Node itself are no instances of Jest's `Error`. */
function isCut(error: unknown): boolean {
  return /^(?:EPIPE|ECONN)/.test(String((error as NodeJS.ErrnoException).code));
}
