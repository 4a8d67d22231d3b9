import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { type Database, statement } from '@holdfast/database';
import type { TenantDatabase, TenantTx } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { appendUnderLock, prepareKeys, takeXid } from '../test/event-writers';
import type { RecordedEvent } from './recorded-event';
import { listRange } from './store-cursors.sql';
import { acquireLease, makeTick, relaying } from './ticks.sql';

type Position = Pick<RecordedEvent, 'streamId' | 'streamVersion'>;

const BY_SEQ = statement<Position & { seq: bigint }>(
  'test.read_by_seq',
  `select seq, stream_id as "streamId", stream_version as "streamVersion" from events.log where seq > $1 order by seq`,
);
const BY_XID = statement<Position & { xid: string; seq: bigint }>(
  'test.read_by_xid',
  `select xid::text, seq, stream_id as "streamId", stream_version as "streamVersion" from events.log
   where (xid, seq) > ($1::xid8, $2) and xid < pg_snapshot_xmin(pg_current_snapshot()) order by xid, seq`,
);

/** Reads what is there each time it is asked, from its own cursor. */
type Reader = () => Promise<readonly Position[]>;

function seqReader(relay: Database): Reader {
  let cursor = 0n;
  return async () => {
    const rows = await relaying(relay, (tx) => tx.rows(BY_SEQ, [cursor]));
    cursor = rows.at(-1)?.seq ?? cursor;
    return rows;
  };
}

/** The order that is cited everywhere: by xid, below the oldest transaction that is still open. */
function xidReader(relay: Database): Reader {
  let [xid, seq] = ['0', 0n];
  return async () => {
    const rows = await relaying(relay, (tx) => tx.rows(BY_XID, [xid, seq]));
    const last = rows.at(-1);
    if (last) [xid, seq] = [last.xid, last.seq];
    return rows;
  };
}

async function tickReader(relay: Database): Promise<Reader> {
  const fence = await acquireLease(relay, 'order', 60_000);
  let fromTick = 0n;
  return async () => {
    const tick = await makeTick(relay, { holder: 'order', fence: fence ?? 0n, leaseMs: 60_000 });
    if (!tick) return [];
    const range = { fromTick, toTick: tick.id, afterSeq: 0n, throughSeq: null };
    fromTick = tick.id;
    return relaying(relay, (tx) => listRange(tx, range, 1_000));
  };
}

/** A transaction that goes on when it is told to, step by step. */
class GatedTransaction {
  private readonly steps: {
    run: (tx: TenantTx) => Promise<unknown>;
    done: () => void;
    fail: (error: unknown) => void;
  }[] = [];
  private wake = (): void => {};
  private ended = false;
  private readonly result: Promise<void>;

  constructor(tenants: TenantDatabase, caller: Caller) {
    this.result = tenants.transaction(caller, async (tx) => {
      while (!this.ended || this.steps.length > 0) {
        const step = this.steps.shift();
        if (step) await step.run(tx).then(step.done, step.fail);
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
    });
  }

  async step(run: (tx: TenantTx) => Promise<unknown>): Promise<void> {
    await new Promise<void>((done, fail) => {
      this.steps.push({ run, done, fail });
      this.wake();
    });
  }

  async commit(): Promise<void> {
    this.ended = true;
    this.wake();
    await this.result;
  }
}

describe('The order of the log', () => {
  let database: TestDatabase;
  let relay: Database;
  let caller: Caller;
  let readers: Record<'seq' | 'xid' | 'tick', Reader>;
  let seen: Record<'seq' | 'xid' | 'tick', string[]>;
  const [k, l] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'] as const;
  const nameOf = ({ streamId, streamVersion }: Position): string =>
    `${streamId === k ? 'k' : 'l'}${streamVersion}`;

  beforeEach(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    caller = await database.caller(newId());
    await prepareKeys(database, caller.tenantId, [k, l]);
    readers = { seq: seqReader(relay), xid: xidReader(relay), tick: await tickReader(relay) };
    seen = { seq: [], xid: [], tick: [] };
  });
  afterEach(() => database.drop());

  const read = async (): Promise<void> => {
    for (const name of ['seq', 'xid', 'tick'] as const)
      seen[name].push(...(await readers[name]()).map(nameOf));
  };

  /** Other databases of the server have transactions too, which hold the xid reader up for a moment. */
  const readToTheEnd = async (count: number): Promise<void> => {
    await read();
    for (let look = 0; look < 500 && seen.xid.length < count; look += 1) {
      await sleep(10);
      seen.xid.push(...(await readers.xid()).map(nameOf));
    }
  };

  it('survives two transactions that lose an event by seq and invert a key by xid', async () => {
    const tenants = database.tenants();
    const [first, second] = [new GatedTransaction(tenants, caller), new GatedTransaction(tenants, caller)];
    await first.step((tx) => appendUnderLock(tx, [l])); // Lower xid, lower seq, later commit.
    await second.step((tx) => appendUnderLock(tx, [k]));
    await second.commit();
    await read();
    expect(seen).toEqual({ seq: ['k1'], xid: [], tick: ['k1'] });
    await first.step((tx) => appendUnderLock(tx, [k])); // Waited for the second's lock in real life.
    await first.commit();
    await readToTheEnd(3);
    expect(seen.seq).toEqual(['k1', 'k2']); // l1 is lost.
    expect(seen.xid).toEqual(['l1', 'k2', 'k1']); // k is inverted.
    expect(seen.tick).toEqual(['k1', 'l1', 'k2']);
  });

  it('survives three transactions, of which one holds everybody else up by xid', async () => {
    const tenants = database.tenants();
    const [a, b, c] = [1, 2, 3].map(() => new GatedTransaction(tenants, caller)) as [
      GatedTransaction,
      GatedTransaction,
      GatedTransaction,
    ];
    await a.step(takeXid);
    await c.step((tx) => appendUnderLock(tx, [l]));
    await b.step((tx) => appendUnderLock(tx, [k]));
    await b.commit();
    await read();
    expect(seen).toEqual({ seq: ['k1'], xid: [], tick: ['k1'] });
    await c.commit();
    await read();
    expect(seen).toEqual({ seq: ['k1'], xid: [], tick: ['k1', 'l1'] }); // Lost by seq, stalled by xid.
    await a.step((tx) => appendUnderLock(tx, [k]));
    await a.commit();
    await readToTheEnd(3);
    expect(seen.seq).toEqual(['k1', 'k2']);
    expect(seen.xid).toEqual(['k2', 'l1', 'k1']);
    expect(seen.tick).toEqual(['k1', 'l1', 'k2']);
  });
});
