import { type Caller, newId } from '@holdfast/kernel';
import { CursorInvalid, Readings, Tallies } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { aggregate, announcement, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { z } from 'zod';
import { AuditEvent, AuditEventHandler } from '../trail/audit-event.query';
import { AuditHistory, AuditHistoryHandler, auditHistoryInput } from './audit-history.query';

const opening = { colour: z.string(), hinges: z.object({ upper: z.int(), lower: z.int() }) };
const MOUNTED = eventType('test.door.mounted', {
  version: 1,
  description: 'A door was mounted.',
  schema: z.object(opening),
  example: { colour: 'red', hinges: { upper: 1, lower: 1 } },
});
const PAINTED = eventType('test.door.painted', {
  version: 1,
  description: 'It was painted.',
  schema: z.object({ colour: z.string() }),
  example: { colour: 'green' },
});
const REMOVED = eventType('test.door.removed', {
  version: 1,
  description: 'It was taken out.',
  schema: z.object({}),
  example: {},
});
aggregate<{ colour: string; hinges: object }>('test.door', {
  rows: statement('test.no_doors', 'select null::uuid as id, null::bigint as "streamVersion" limit 0'),
  on: (on) => [
    on(MOUNTED, (mounted) => mounted),
    on(PAINTED, ({ colour }) => ({ colour })),
    on(REMOVED, () => null),
  ],
});

describe('The history of an entity', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let handler: AuditHistoryHandler;
  let readings: Readings;
  let caller: Caller;
  let door: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    readings = new Readings(new Tallies(tenants));
    handler = new AuditHistoryHandler(tenants, readings);
    caller = await database.caller();
    door = newId();
    const mounted = { colour: 'red', hinges: { upper: 1, lower: 2 } };
    await tenants.transaction(caller, (tx) =>
      tx.announce(
        announcement(MOUNTED, { id: door, version: 1n }, mounted),
        announcement(PAINTED, { id: door, version: 2n }, { colour: 'green' }),
        announcement(PAINTED, { id: door, version: 3n }, { colour: 'green' }),
        announcement(REMOVED, { id: door, version: 4n }, {}),
      ),
    );
  });
  afterAll(() => database.drop());

  const history = (input: object = {}, of = door, by = caller) =>
    handler.execute(new AuditHistory(by, auditHistoryInput.parse({ stream: `test.door/${of}`, ...input })));

  it('tells for each version who changed which field from what to what', async () => {
    const { data, nextCursor } = await history();
    expect(nextCursor).toBeNull();
    expect(data[1]).toMatchObject({ version: '2', type: 'test.door.painted', actor: caller.actor });
    expect(data.map(({ changes }) => changes)).toEqual([
      [
        { pointer: '/colour', after: 'red' },
        { pointer: '/hinges', after: { upper: 1, lower: 2 } },
      ],
      [{ pointer: '/colour', before: 'red', after: 'green' }],
      [],
      [
        { pointer: '/colour', before: 'green' },
        { pointer: '/hinges', before: { upper: 1, lower: 2 } },
      ],
    ]);
  });

  it('tells the same page by page', async () => {
    const whole = await history();
    const pages = [await history({ limit: 1 })];
    for (let page = pages[0]!; page.nextCursor; page = pages.at(-1)!)
      pages.push(await history({ limit: 1, after: page.nextCursor }));
    expect(pages.flatMap(({ data }) => data)).toEqual(whole.data);
    const { nextCursor } = pages[0]!;
    await expect(history({ after: nextCursor! }, newId())).rejects.toBeInstanceOf(CursorInvalid);
  });

  it('is empty for what is not there, and for another tenant', async () => {
    expect((await history({}, newId())).data).toEqual([]);
    expect((await history({}, door, await database.caller())).data).toEqual([]);
  });

  it('stands beside one event as what was before and after', async () => {
    const { data } = await history();
    const one = new AuditEventHandler(tenants, readings);
    const read = (version: number) => one.execute(new AuditEvent(caller, { id: data[version - 1]!.eventId }));
    expect(await read(1)).toMatchObject({ before: null, after: { colour: 'red' } });
    expect(await read(2)).toMatchObject({
      description: 'It was painted.',
      who: { kind: 'system', id: 'test' },
      before: { colour: 'red', hinges: { upper: 1, lower: 2 } },
      after: { colour: 'green', hinges: { upper: 1, lower: 2 } },
      changes: [{ pointer: '/colour', before: 'red', after: 'green' }],
    });
    expect(await read(4)).toMatchObject({ before: { colour: 'green' }, after: null });
  });

  it('refuses a stream that is too long to fold, and shows its beginning', async () => {
    const long = newId();
    await database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
         correlation_id, occurred_at, data)
       select pg_current_xact_id(), $1, uuidv7(), 'test.door', $2, n, 'test.door.painted', 1, 'nobody', 'none', now(),
         jsonb_build_object('colour', n::text)
       from generate_series(1, 10001) n`,
      [caller.tenantId, long],
    );
    let page = await history({ limit: 200 }, long);
    expect(page.data[1]!.changes).toEqual([{ pointer: '/colour', before: '1', after: '2' }]);
    // The fiftieth page would end at version 10,000, and looks one further.
    for (let read = 1; read < 49; read += 1)
      page = await history({ limit: 200, after: page.nextCursor! }, long);
    expect(page.data.at(-1)!.version).toBe('9800');
    const last = history({ limit: 200, after: page.nextCursor! }, long);
    await expect(last).rejects.toMatchObject({ code: 'audit.stream_too_long' });
  });

  it('tells what is there where a release cannot read an event', async () => {
    const odd = newId();
    await database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
         correlation_id, occurred_at, data)
       select pg_current_xact_id(), $1, uuidv7(), 'test.door', $2, n, 'test.door.painted', n, 'nobody', 'none', now(),
         jsonb_build_object('colour', 'blue')
       from generate_series(1, 2) n`,
      [caller.tenantId, odd],
    );
    expect((await history({}, odd)).data.map(({ changes }) => changes)).toEqual([
      [{ pointer: '/colour', after: 'blue' }],
      [],
    ]);
  });
});
