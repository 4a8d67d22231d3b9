import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, type CommittedEvent, CommittedEvents, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { formatVerifierKey } from '@holdfast/tlog';
import { runVerifier, type Verdict, writeBundle } from '../../test/bundle-check';
import { TestSealer } from '../../test/test-sealer';
import { treeVerifierKey } from '../sealing/log-keys';
import { readReceipts, ReceiptRefused } from './open-receipt';
import { receiptLine } from './receipt';
import { receiptKeyEntries } from './receipt-key-entries.sql';
import { Receipts } from './receipts';
import { type ReceiptContext, type ReceiptOutcome, verifyReceipt } from './verify-receipt';

/** All that Jest would put in the place of real time, but the date. */
const REAL = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;

/** Promise 5 before there is a seal: what was deleted or altered ahead of it is found by whoever kept the receipt. */
describe('A receipt', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let sealer: TestSealer;
  let receipts: Receipts;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    sealer = await TestSealer.create(database, { installation: receiptKeyEntries });
    receipts = await process();
    await certify();
  });
  afterAll(async () => {
    receipts.close();
    await sealer.close();
    await database.drop();
  });

  /** What a process of the API has. */
  async function process(): Promise<Receipts> {
    const started = new Receipts({
      auth: database.as('holdfast_auth', 1),
      logName: sealer.logName,
      onFailure: (error) => {
        throw error;
      },
    });
    await started.start();
    return started;
  }

  /** What a bundle lacks counts for receipts that are a minute older than it. Nothing but the date is another. */
  async function longAgo<T>(act: () => Promise<T>): Promise<T> {
    const now = Date.now() - 120_000;
    jest.useFakeTimers({ now, doNotFake: [...REAL] });
    try {
      return await act();
    } finally {
      jest.useRealTimers();
    }
  }

  /** Seals until every key is certified: the sealer looks for them once a second, and certifies what it has signed. */
  async function certify(): Promise<void> {
    const uncertified = 'select id from audit.receipt_keys where certificate is null';
    for (let tries = 0; (await database.admin(uncertified)).length > 0; tries += 1) {
      if (tries === 50) throw new Error('the sealer certifies no key');
      await sealer.seal();
      await sleep(200);
    }
  }

  /** Commits so many events of one stream as one request, and answers its receipt. */
  async function announced(
    caller: Caller,
    count = 1,
    by = receipts,
  ): Promise<{ readonly receipt: string; readonly events: readonly CommittedEvent[] }> {
    const committed = new CommittedEvents();
    const streamId = newId();
    const events = Array.from({ length: count }, (_, at) => ({
      id: newId(),
      type: 'test.fence.painted',
      schemaVersion: 1,
      streamType: 'test.fence',
      streamId,
      streamVersion: BigInt(at + 1),
      payload: '{"coats": 2, "by": ["ann"]}',
    }));
    await tenants.transaction({ ...caller, committed }, (tx) => tx.announce(...events));
    const receipt = await longAgo(() => by.headerFor(caller.requestId, committed));
    return { receipt: receipt ?? '', events: committed.byTenant.get(caller.tenantId) ?? [] };
  }

  const verify = (
    receipt: string,
    caller: Caller,
    more: Partial<ReceiptContext> = {},
  ): Promise<ReceiptOutcome> => {
    const [one] = readReceipts(receipt);
    if (!one) throw new Error('there is no receipt');
    return verifyReceipt(one, { tenants, caller, ...more });
  };
  const remove = (id: string | undefined): Promise<unknown> =>
    tamper(`delete from events.log where id = '${id}'`);
  /** As a superuser, with triggers off. */
  const tamper = (change: string): Promise<unknown> =>
    database.admin(`set session_replication_role = replica; ${change}`);

  it('of what is in the log holds, before and after it is sealed', async () => {
    const caller = await database.caller();
    const { receipt } = await announced(caller, 3);
    const holds = { checked: 3, pruned: 0, breaks: [] };
    expect(await verify(receipt, caller)).toMatchObject(holds);
    await sealer.seal();
    expect(await verify(receipt, caller)).toMatchObject(holds);
    expect(await offline(caller, receipt)).toMatchObject({ status: 0, findings: [], receipts: 1 });
  });

  it('proves that an event was deleted before it was sealed, which the log alone does not tell', async () => {
    const caller = await database.caller();
    await announced(caller);
    const { receipt, events } = await announced(caller, 2);
    const last = events[1];
    await remove(last?.id);
    await sealer.seal();
    const bundle = await writeBundle(tenants, caller, { log: sealer.logName });
    expect(runVerifier({ 'log.ndjson': bundle }, ['log.ndjson', ...keyOf(caller)])).toMatchObject({
      ...{ status: 0, intact: true, events: 2 },
    });
    expect((await verify(receipt, caller)).breaks).toEqual([{ event: last, what: 'missing' }]);
    expect(await offline(caller, receipt)).toMatchObject({
      status: 1,
      findings: [{ kind: 'receipt', eventId: last?.id }],
    });
  });

  it.each([
    ['type', "type = 'test.fence.burnt'"],
    ['stream', 'stream_id = gen_random_uuid()'],
    ['data', `data = '{"by": ["ann"], "coats": 3}'`],
  ] as const)('proves that the %s of an event was altered before it was sealed', async (what, change) => {
    const caller = await database.caller();
    const { receipt, events } = await announced(caller);
    await tamper(`update events.log set ${change} where id = '${events[0]?.id}'`);
    await sealer.seal();
    expect((await verify(receipt, caller)).breaks).toEqual([{ event: events[0], what }]);
    const verdict = await offline(caller, receipt);
    expect(verdict.findings).toMatchObject([{ kind: 'receipt', eventId: events[0]?.id, fields: [what] }]);
  });

  it('of many events needs them to be named, and finds the one that is gone', async () => {
    const caller = await database.caller();
    const { receipt, events } = await announced(caller, 40);
    const known = events.map(({ type, stream }) => ({ type, stream }));
    await remove(events[39]?.id);
    await sealer.seal();
    await expect(verify(receipt, caller)).rejects.toMatchObject({ fault: 'events_wrong' });
    await expect(verify(receipt, caller, { events: known.slice(1) })).rejects.toMatchObject({
      fault: 'events_wrong',
    });
    // Two events of one type in a stream are told apart by their versions.
    const { checked, breaks } = await verify(receipt, caller, { events: known });
    expect({ checked, breaks }).toEqual({ checked: 40, breaks: [{ event: known[39], what: 'missing' }] });
    const lines = `${known.map(receiptLine).join('\n')}\n`;
    const verdict = await offline(caller, receipt, { 'events.ndjson': lines }, [
      '--receipt-events',
      'events.ndjson',
    ]);
    expect(verdict).toMatchObject({ status: 1, findings: [{ kind: 'receipt' }] });
    expect((await offline(caller, receipt)).findings).toMatchObject([{ kind: 'receipt' }]);
  });

  it('of many events says of those that were pruned that they were, and of the last that it is missing', async () => {
    const caller = await database.caller();
    const { receipt, events } = await announced(caller, 40);
    const known = events.map(({ type, stream }) => ({ type, stream }));
    await sealer.seal();
    for (const { id } of events.slice(0, 39)) await remove(id);
    await tamper(`update audit.epochs set pruned_to = 40 where tenant_id = '${caller.tenantId}'`);
    const outcome = { checked: 40, pruned: 39, breaks: [] };
    expect(await verify(receipt, caller, { events: known })).toMatchObject(outcome);
    await remove(events[39]?.id);
    const { breaks } = await verify(receipt, caller, { events: known });
    expect(breaks).toContainEqual({ event: known[39], what: 'missing' });
  });

  it('is refused as long as the log does not have its key, and for another log', async () => {
    const caller = await database.caller();
    const young = await process();
    const { receipt } = await announced(caller, 1, young);
    young.close();
    await expect(verify(receipt, caller)).rejects.toThrow(ReceiptRefused);
    await certify();
    expect(await verify(receipt, caller)).toMatchObject({ checked: 1 });
    const otherKey = await verify(receipt, caller, { logKeys: [Buffer.alloc(32, 1)] }).catch(
      (error) => error,
    );
    expect(otherKey).toMatchObject({ fault: 'key_not_certified' });
    await expect(verify(receipt, caller, { logName: 'other.test' })).rejects.toMatchObject({
      fault: 'not_signed',
    });
  });

  it('holds against the export for its own tenant alone', async () => {
    const [caller, other] = [await database.caller(), await database.caller()];
    const { receipt } = await announced(caller);
    await announced(other);
    await sealer.seal();
    expect(await offline(other, receipt)).toMatchObject({ status: 1, findings: [{ kind: 'receipt' }] });
  });

  const keyOf = ({ tenantId }: Caller): string[] => {
    const key = treeVerifierKey(sealer.logName, { tenantId, epoch: 1 }, sealer.publicKey);
    return ['--key', formatVerifierKey(key)];
  };

  /** The single-file verifier with a bundle, the receipt, and its key as the API shows it. */
  async function offline(
    caller: Caller,
    receipt: string,
    more: Readonly<Record<string, string>> = {},
    args: readonly string[] = [],
  ): Promise<Verdict & { readonly receipts?: number }> {
    const keys = await database.admin<object>('select id, entry, certificate from audit.receipt_keys');
    const files = {
      'log.ndjson': await writeBundle(tenants, caller, { log: sealer.logName }),
      'receipts.txt': `${receipt}\n`,
      'keys.json': JSON.stringify({ data: keys, nextCursor: null }),
      ...more,
    };
    const kept = ['--receipt', 'receipts.txt', '--receipt-key', 'keys.json'];
    return runVerifier(files, ['log.ndjson', ...keyOf(caller), ...kept, ...args]);
  }
});
