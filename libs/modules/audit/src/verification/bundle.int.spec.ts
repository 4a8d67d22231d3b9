import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Caller, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { generateSignerKey } from '@holdfast/tlog';
import { runVerifier, type Verdict, writeBundle } from '../../test/bundle-check';
import { HandSealer } from '../../test/hand-sealer';

describe('An audit bundle', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let sealer: HandSealer;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    sealer = new HandSealer(database);
  });
  afterAll(() => database.drop());

  /** Events of streams of three each. */
  async function announce(caller: Caller, count: number, payload = '{"coats": 2}'): Promise<string[]> {
    const stream = Array.from({ length: Math.ceil(count / 3) }, () => newId());
    const events = Array.from({ length: count }, (_, at) => ({
      id: newId(),
      type: 'test.fence.painted',
      schemaVersion: 1,
      streamType: 'test.fence',
      streamId: stream[Math.floor(at / 3)] ?? newId(),
      streamVersion: BigInt((at % 3) + 1),
      payload,
    }));
    await tenants.transaction(caller, (tx) => tx.announce(...events));
    return events.map(({ id }) => id);
  }

  const bundleOf = (caller: Caller): Promise<Buffer> => writeBundle(tenants, caller, { log: sealer.logName });
  const keyOf = ({ tenantId }: Caller, epoch = 1): string[] => ['--key', sealer.verifierKey(tenantId, epoch)];
  const verify = async (caller: Caller, ...args: string[]): Promise<Verdict> =>
    runVerifier({ 'log.ndjson': await bundleOf(caller) }, ['log.ndjson', ...keyOf(caller), ...args]);

  it('of a sound log is intact, in whatever size, with leaves that are not signed and events that are not sealed', async () => {
    for (const count of [0, 1, 255, 256, 600]) {
      const caller = await database.caller();
      await announce(caller, count);
      await sealer.seal(caller.tenantId, { checkpointsAt: count > 300 ? [1, 257] : [] });
      expect(await verify(caller)).toMatchObject({ status: 0, intact: true, findings: [], events: count });
    }
    const caller = await database.caller();
    await announce(caller, 300);
    await sealer.seal(caller.tenantId, { unsigned: 50 });
    await announce(caller, 7);
    expect(await verify(caller)).toMatchObject({ status: 0, findings: [], events: 250, unsealed: 57 });
  });

  it('of a tenant without a log is intact and empty', async () => {
    const caller = await database.caller();
    expect(await verify(caller)).toMatchObject({ status: 0, notes: ['the log is empty'] });
  });

  it('may be compressed', async () => {
    const caller = await database.caller();
    await announce(caller, 10);
    await sealer.seal(caller.tenantId);
    const files = { 'log.gz': gzipSync(await bundleOf(caller)) };
    expect(runVerifier(files, ['log.gz', ...keyOf(caller)])).toMatchObject({ status: 0, events: 10 });
  });

  it('verifies entries of every form', async () => {
    const caller = await database.caller();
    for (const payload of [
      '{"n": 1.0}',
      '{"n": 9007199254740993}',
      `{"text": "${'é"\\u0001'.replace('"', '\\"').repeat(30_000)}"}`,
      `{"n": 1.50, "text": "${'x'.repeat(60_000)}"}`,
      `${'['.repeat(70)}${']'.repeat(70)}`,
      '{"b": {"ä": null, "a": [true, -7]}, "__proto__": 1, "€": "\\ud83d\\ude00"}',
    ])
      await announce(caller, 1, payload);
    await sealer.seal(caller.tenantId);
    expect(await verify(caller)).toMatchObject({ status: 0, findings: [], events: 6 });
  });

  it('is refused with another key, and with none', async () => {
    const caller = await database.caller();
    await announce(caller, 3);
    await sealer.seal(caller.tenantId);
    const files = { 'log.ndjson': await bundleOf(caller) };
    const other = new HandSealer(database, generateSignerKey('log.test'));
    const strange = runVerifier(files, ['log.ndjson', '--key', other.verifierKey(caller.tenantId)]);
    expect(strange).toMatchObject({ status: 1, findings: [{ kind: 'signature', index: 3 }] });
    const elsewhere = await database.caller();
    expect(runVerifier(files, ['log.ndjson', ...keyOf(elsewhere)])).toMatchObject({ status: 1 });
    expect(runVerifier(files, ['log.ndjson'])).toMatchObject({ status: 2 });
    expect(runVerifier(files, ['log.ndjson', '--key', 'a+b+c'])).toMatchObject({ status: 2 });
    expect(runVerifier(files, ['none.ndjson', ...keyOf(caller)])).toMatchObject({ status: 2 });
  });

  it('of a later epoch continues the one before, and tells what a restore lost', async () => {
    const caller = await database.caller();
    const { tenantId } = caller;
    const ids = await announce(caller, 20);
    await sealer.seal(tenantId, { eventIds: ids.slice(0, 14) });
    const [lost] = await database.admin<{ note: string }>(
      'select note from audit.checkpoints where tenant_id = $1',
      [tenantId],
    );
    // The database is that of an earlier day, with 9 leaves; what is behind them is sealed again.
    await sealer.seal(tenantId, { eventIds: ids.slice(0, 8) });
    await sealer.seal(tenantId, {
      epoch: 2,
      eventIds: ids.slice(8),
      previous: { checkpoint: lost?.note ?? '', kept: '9' },
    });
    const sound = await verify(caller);
    expect(sound).toMatchObject({ status: 0, findings: [], events: 20 });
    expect(sound.notes).toEqual([expect.stringContaining('has 15 leaves: those from 9 on are gone')]);
    await sealer.seal(tenantId, {
      epoch: 2,
      eventIds: ids.slice(8),
      previous: { checkpoint: lost?.note ?? '', kept: '10' },
    });
    expect(await verify(caller)).toMatchObject({
      status: 1,
      findings: [{ kind: 'epoch', epoch: 2, index: 0 }],
    });
  });

  it('lists what is redacted, and verifies what is disclosed', async () => {
    const caller = await database.caller();
    const salt = Buffer.alloc(32, 7);
    const commitment = createHash('sha256')
      .update(Buffer.concat([Buffer.of(2), salt, Buffer.from('"Ada"')]))
      .digest('base64url');
    const [id = ''] = await announce(caller, 1, `{"name": {"commitment": "${commitment}"}, "on": "2026"}`);
    await sealer.seal(caller.tenantId);
    expect(await verify(caller)).toMatchObject({ status: 0, redactions: [{ eventId: id, path: '/name' }] });
    const disclosing = async (value: unknown): Promise<Verdict> => {
      const disclosure = { eventId: id, path: '/name', salt: salt.toString('base64url'), value };
      const options = { log: sealer.logName, disclose: () => Promise.resolve([disclosure]) };
      const bundle = await writeBundle(tenants, caller, options);
      return runVerifier({ 'log.ndjson': bundle }, ['log.ndjson', ...keyOf(caller)]);
    };
    expect(await disclosing('Ada')).toMatchObject({ status: 0, redactions: [] });
    expect(await disclosing('Eve')).toMatchObject({
      status: 1,
      findings: [{ kind: 'disclosure', eventId: id }],
    });
  });

  it('may lack rows only where a sealed event says that they were pruned', async () => {
    const caller = await database.caller();
    const { tenantId } = caller;
    const ids = await announce(caller, 300);
    const pruned = { epoch: 1, prunedTo: '100', root: 'x', size: '301' };
    await tenants.transaction(await database.part('pruner', tenantId), (tx) =>
      tx.announce({
        ...{
          id: newId(),
          type: 'audit.log.pruned',
          schemaVersion: 1,
          streamType: 'audit.log',
          streamId: newId(),
        },
        ...{ streamVersion: 1n, payload: JSON.stringify(pruned) },
      }),
    );
    await sealer.seal(tenantId);
    await database.admin('update audit.epochs set pruned_to = 100 where tenant_id = $1', [tenantId]);
    await database.admin('delete from events.log where tenant_id = $1 and id = any ($2)', [
      tenantId,
      // The last event of each stream stays.
      ids.slice(0, 99).filter((_, at) => at % 3 < 2),
    ]);
    const ranges = Array.from({ length: 33 }, (_, at) => ({ epoch: 1, from: 3 * at + 1, to: 3 * at + 2 }));
    expect(await verify(caller)).toMatchObject({
      ...{ status: 0, findings: [], pruned: ranges },
    });
    // Three more than the event says.
    await database.admin('delete from events.log where tenant_id = $1 and id = any ($2)', [
      tenantId,
      ids.slice(99, 102),
    ]);
    const verdict = await verify(caller);
    expect(verdict).toMatchObject({ status: 1, findings: [{ kind: 'missing', index: 100 }] });
    await database.admin('update audit.epochs set pruned_to = 103 where tenant_id = $1', [tenantId]);
    expect(await verify(caller)).toMatchObject({ status: 1 });
  });
});
