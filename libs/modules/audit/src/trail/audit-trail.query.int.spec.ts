import { type Caller, newId } from '@holdfast/kernel';
import { CursorInvalid, Readings, Tallies } from '@holdfast/cqrs';
import { registeredStatements } from '@holdfast/database';
import { announcement, earlierVersion, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { z } from 'zod';
import { settledPlan } from '../../test/settled-plan';
import { AuditEvent, AuditEventHandler } from './audit-event.query';
import type { AuditEventView } from './audit-event-view';
import { AuditTrail, AuditTrailHandler, auditTrailInput } from './audit-trail.query';

const PAINTED = eventType('test.fence.painted', {
  version: 1,
  description: 'Painted.',
  schema: z.object({ coats: z.int() }),
  example: { coats: 2 },
});
const MENDED = eventType('test.fence.mended', {
  version: 2,
  description: 'Mended.',
  schema: z.object({ boards: z.int() }),
  example: { boards: 3 },
  earlier: [
    earlierVersion({
      version: 1,
      schema: z.object({ board: z.int() }),
      example: { board: 1 },
      upcast: () => ({ boards: 1 }),
    }),
  ],
});

const REFUSED = eventType('test.gate.refused', {
  version: 1,
  description: 'Refused.',
  schema: z.object({ code: z.string() }),
  example: { code: 'test.locked' },
});

describe('The audit trail', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let readings: Readings;
  let handler: AuditTrailHandler;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    readings = new Readings(new Tallies(tenants));
    handler = new AuditTrailHandler(tenants, readings);
  });
  afterAll(() => database.drop());

  const list = (caller: Caller, input: z.input<typeof auditTrailInput> = {}) =>
    handler.execute(new AuditTrail(caller, auditTrailInput.parse(input)));

  /** Paints a fence `times` times, each in a transaction of its own. Answers with the fence. */
  async function paint(caller: Caller, times: number, fence = newId(), firstVersion = 1): Promise<string> {
    for (let coats = firstVersion; coats < firstVersion + times; coats += 1) {
      await tenants.transaction(caller, (tx) =>
        tx.announce(announcement(PAINTED, { id: fence, version: BigInt(coats) }, { coats })),
      );
    }
    return fence;
  }

  const idsOf = (events: readonly AuditEventView[]): string[] => events.map(({ id }) => id);

  it('shows who did what, when, in which request', async () => {
    const caller = {
      ...(await database.caller()),
      causationId: newId(),
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    };
    const fence = await paint(caller, 1);
    const { data, nextCursor } = await list(caller);
    expect(nextCursor).toBeNull();
    expect(data).toEqual([
      {
        id: expect.any(String),
        type: 'test.fence.painted',
        schemaVersion: 1,
        stream: { type: 'test.fence', id: fence, version: '1' },
        actor: caller.actor,
        act: null,
        requestId: caller.requestId,
        causationId: caller.causationId,
        traceparent: caller.traceparent,
        outcome: 'accepted',
        occurredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
        data: { coats: 1 },
      },
    ]);
  });

  it('goes newest first, page by page, without a gap or a repetition', async () => {
    const caller = await database.caller();
    await paint(caller, 7);
    const all = await list(caller);
    expect(all.data.map(({ data }) => data['coats'])).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const pages: string[][] = [];
    for (let after: string | undefined, more = true; more;) {
      const page = await list(caller, { limit: 3, ...(after && { after }) });
      pages.push(idsOf(page.data));
      after = page.nextCursor ?? undefined;
      more = after !== undefined;
    }
    expect(pages.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(pages.flat()).toEqual(idsOf(all.data));
  });

  it('filters by actor, type, stream and time', async () => {
    const tenantId = newId();
    const [caller, other] = [await database.caller(tenantId), await database.caller(tenantId)];
    const fence = await paint(caller, 2);
    await paint(other, 1);
    await tenants.transaction(caller, (tx) =>
      tx.announce(announcement(MENDED, { id: fence, version: 3n }, { boards: 1 })),
    );
    const { data } = await list(caller);
    expect(data).toHaveLength(4);
    const middle = data[1]!.occurredAt;
    const lengths = async (input: z.input<typeof auditTrailInput>): Promise<number> =>
      (await list(caller, input)).data.length;
    expect(await lengths({ type: 'test.fence.mended' })).toBe(1);
    expect(await lengths({ type: 'test.*' })).toBe(4);
    expect(await lengths({ type: 'test.fence.*' })).toBe(4);
    expect(await lengths({ type: 'test.fen.*' })).toBe(0);
    expect(await lengths({ type: 'test.fence.m%' })).toBe(0);
    expect(await lengths({ stream: `test.fence/${fence.toUpperCase()}` })).toBe(3);
    expect(await lengths({ stream: `test.gate/${fence}` })).toBe(0);
    expect(await lengths({ stream: `test.fence/${fence}`, type: 'test.fence.painted' })).toBe(2);
    expect(await lengths({ actor: caller.actor })).toBe(4);
    expect(await lengths({ actor: 'nobody' })).toBe(0);
    expect([await lengths({ from: middle }), await lengths({ to: middle })]).toEqual([2, 2]);
    expect(await lengths({ from: middle, to: middle })).toBe(0);
  });

  it('finds what a request did, whatever id its client gave it', async () => {
    const caller = { ...(await database.caller()), requestId: 'order 4711 % of_ "ours"' };
    const fence = await paint(caller, 2);
    await paint({ ...caller, requestId: newId() }, 1);
    const of = { requestId: caller.requestId };
    expect((await list(caller, of)).data).toHaveLength(2);
    expect((await list(caller, { ...of, stream: `test.fence/${fence}` })).data).toHaveLength(2);
    expect((await list(caller, { stream: `test.fence/${fence}`, requestId: 'order' })).data).toEqual([]);
    expect((await list(caller, { ...of, type: 'test.fence.mended' })).data).toEqual([]);
    const first = await list(caller, { ...of, limit: 1 });
    expect((await list(caller, { ...of, after: first.nextCursor! })).data).toHaveLength(1);
    expect((await list(await database.caller(), of)).data).toEqual([]);
  });

  it('tells what was refused from what was done, and who acted for somebody else', async () => {
    const caller = await database.caller(undefined, 'operator:alice');
    await tenants.transaction(caller, (tx) =>
      tx.announce(announcement(REFUSED, { id: newId(), version: 1n }, { code: 'test.locked' })),
    );
    await paint(await database.caller(caller.tenantId), 1);
    const types = async (input: z.input<typeof auditTrailInput>): Promise<string[]> =>
      (await list(await database.caller(caller.tenantId), input)).data.map(({ type }) => type);
    expect(await types({ outcome: 'refused' })).toEqual(['test.gate.refused']);
    expect(await types({ outcome: 'accepted' })).toEqual(['test.fence.painted']);
    expect(await types({ act: 'operator:alice' })).toEqual(['test.gate.refused']);
    expect((await list(await database.caller(caller.tenantId), { outcome: 'refused' })).data).toMatchObject([
      { outcome: 'refused', data: { code: 'test.locked' } },
    ]);
  });

  it('finds an old event by its time without a look at those since', async () => {
    const caller = await database.caller();
    await database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
         correlation_id, occurred_at, data)
       select pg_current_xact_id(), $1, uuidv7(make_interval(days => -n)), 'test.fence', gen_random_uuid(), 1,
         'test.fence.painted', 1, 'nobody', 'none', now() - make_interval(days => n), '{"coats":1}'
       from generate_series(1, 30) n`,
      [caller.tenantId],
    );
    const day = (ago: number): string => new Date(Date.now() - ago * 86_400_000 - 60_000).toISOString();
    expect((await list(caller, { from: day(11), to: day(9) })).data).toHaveLength(2);
    expect((await list(caller, { to: day(30) })).data).toHaveLength(0);
    expect((await list(caller, { from: day(31) })).data).toHaveLength(30);
  });

  it.each(['null', '[]', '"x"', '1', '{"a":null}'])('shows an event whose payload is %s', async (payload) => {
    const caller = await database.caller();
    await tenants.transaction(caller, (tx) =>
      tx.announce({
        ...announcement(PAINTED, { id: newId(), version: 1n }, { coats: 1 }),
        payload,
      }),
    );
    const { data } = await list(caller);
    const shown = payload.startsWith('{') ? JSON.parse(payload) : { payload: JSON.parse(payload) };
    expect(data).toMatchObject([{ data: shown }]);
    const one = new AuditEventHandler(tenants, readings);
    expect(await one.execute(new AuditEvent(caller, { id: data[0]!.id }))).toMatchObject({ data: shown });
  });

  it('shows a tenant nothing of another one', async () => {
    const [caller, other] = [await database.caller(), await database.caller()];
    const fence = await paint(caller, 3);
    const { data, nextCursor } = await list(caller, { limit: 1 });
    expect((await list(other)).data).toEqual([]);
    expect((await list(other, { stream: `test.fence/${fence}` })).data).toEqual([]);
    await expect(list(other, { after: nextCursor! })).rejects.toBeInstanceOf(CursorInvalid);
    const one = new AuditEventHandler(tenants, readings);
    const { id } = data[0]!;
    expect(await one.execute(new AuditEvent(caller, { id }))).toMatchObject(data[0]!);
    await expect(one.execute(new AuditEvent(other, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await expect(one.execute(new AuditEvent(caller, { id: newId() }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it.each([
    { stream: 'test.fence' },
    { stream: 'test.fence/1' },
    { stream: `/${newId()}` },
    { from: '2026-11-20' },
    { from: '2026-11-20T10:00:00' },
    { to: '0001-01-01T00:00:00Z' },
    { to: '2026-02-30T00:00:00Z' },
    { limit: 201 },
    { actor: 'a\0' },
    { act: 'a\n' },
    { requestId: '\0' },
    { requestId: '' },
    { type: 'x'.repeat(201) },
    { outcome: 'failed' },
    { actors: 'x' },
  ])('refuses %j', (input) => {
    expect(auditTrailInput.safeParse(input).success).toBe(false);
  });

  // Isolation rule 18: neither the policy nor an absent filter keeps the index from being used, however often it runs.
  describe('on a log of 20,000 events', () => {
    let caller: Caller;

    beforeAll(async () => {
      caller = await database.caller();
      await database.admin(
        `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
           correlation_id, occurred_at, data)
         select pg_current_xact_id(), case n % 2 when 0 then $1 else gen_random_uuid() end, uuidv7(), 'test.filler',
           md5((n / 10)::text)::uuid, n % 10 + 1, 'test.filler.added', 1, 'nobody', 'request ' || n / 5, now(), '{}'
         from generate_series(1, 20000) n`,
        [caller.tenantId],
      );
      await database.admin(
        `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
           correlation_id, occurred_at, data)
         values (pg_current_xact_id(), $1, uuidv7(interval '-1 hour'), 'test.filler', gen_random_uuid(), 1, 'test.filler.seen', 1, 'somebody',
           'request', now(), '{}')`,
        [caller.tenantId],
      );
      await database.admin('analyze events.log');
    });

    it('looks at some of them on each page, and loses none behind them', async () => {
      const first = await list(caller, { actor: 'somebody' });
      expect(first.data).toEqual([]);
      const second = await list(caller, { actor: 'somebody', after: first.nextCursor! });
      expect(second).toMatchObject({ data: [{ type: 'test.filler.seen' }], nextCursor: null });
    });

    const last = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    const first = '00000000-0000-0000-0000-000000000000';
    it.each([
      [
        'audit.list_events',
        [last, null, null, null, null, null, null, null, 51, first, 10_000],
        /Index Scan Backward using log_pkey.*Index Cond: .*tenant_id = .*id < .*id >= /s,
      ],
      [
        'audit.list_events_of_stream',
        [last, null, null, null, null, null, null, null, 51, 'test.filler', newId(), null, first],
        /Index Cond: .*tenant_id = .*stream_type = .*stream_id = /s,
      ],
      [
        'audit.list_events_of_request',
        [last, null, null, null, null, null, null, null, 51, newId(), first],
        /Index Cond: .*tenant_id = .*correlation_id = /s,
      ],
      ['audit.find_event', [newId()], /Index Scan using log_pkey.*Index Cond: .*tenant_id = .*id = /s],
    ])('%s begins at its page', async (name, values, plan) => {
      const { text } = registeredStatements().find((statement) => statement.name === name)!;
      expect(await settledPlan(database, caller, text, values)).toMatch(plan);
    });
  });
});
