import { type Caller, newId } from '@holdfast/kernel';
import { Readings, Tallies } from '@holdfast/cqrs';
import { announcement, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { z } from 'zod';
import { AuditChain, AuditChainHandler } from './audit-chain.query';

const PUSHED = eventType('test.domino.pushed', {
  version: 1,
  description: 'Pushed.',
  schema: z.object({}),
  example: {},
});

describe('The chain of causes', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let handler: AuditChainHandler;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    handler = new AuditChainHandler(tenants, new Readings(new Tallies(tenants)));
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(() => database.drop());

  /** An event, because of another one, in the caller's request or another. */
  async function push(causationId?: string, requestId = caller.requestId): Promise<string> {
    const event = announcement(PUSHED, { id: newId(), version: 1n }, {});
    await tenants.transaction({ ...caller, causationId, requestId }, (tx) => tx.announce(event));
    return event.id;
  }
  const chain = (id: string, by = caller) => handler.execute(new AuditChain(by, { id }));
  const shown = async (id: string): Promise<(readonly [number, string])[]> =>
    (await chain(id)).nodes.map((node) => [node.depth, node.id]);

  it('leads from the request to the event, beside its siblings, and on to what came of it', async () => {
    const first = await push();
    const second = await push(first);
    const sibling = await push();
    const third = await push(second);
    const tree = [
      [0, first],
      [1, second],
      [2, third],
      [0, sibling],
    ];
    for (const id of [first, second, sibling, third]) expect(await shown(id)).toEqual(tree);
    expect(await chain(second)).toMatchObject({
      requestId: caller.requestId,
      truncated: false,
      nodes: [{ type: 'test.domino.pushed', actor: caller.actor, outcome: 'accepted' }, {}, {}, {}],
    });
  });

  it('goes up into the request that caused this one', async () => {
    const root = await push(undefined, 'the night before');
    const aside = await push(undefined, 'the night before');
    const next = await push(root);
    expect(await chain(next)).toMatchObject({ requestId: 'the night before' });
    expect(await shown(next)).toEqual([
      [0, root],
      [1, next],
      [0, aside],
    ]);
  });

  it('takes a cause that is no event, or nobody’s, for the end', async () => {
    for (const cause of ['job 7', newId()]) {
      const id = await push(cause, newId());
      expect(await shown(id)).toEqual([[0, id]]);
    }
  });

  it('shows of a batch of thousands the event and what is near it', async () => {
    const first = await push();
    await database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
         correlation_id, occurred_at, data)
       select pg_current_xact_id(), $1, uuidv7(), 'test.domino', gen_random_uuid(), 1, 'test.domino.pushed', 1, 'nobody', $2,
         now(), '{}'
       from generate_series(1, 3000) n`,
      [caller.tenantId, caller.requestId],
    );
    const effect = await push(first);
    const { nodes, truncated } = await chain(effect);
    expect([nodes.length, truncated]).toEqual([200, true]);
    expect(nodes.slice(0, 2).map(({ id }) => id)).toEqual([first, effect]);
    const [last] = await database.admin<{ id: string }>(
      'select id from events.log where tenant_id = $1 order by id desc offset 1 limit 1',
      [caller.tenantId],
    );
    expect((await chain(last!.id)).nodes.map(({ id }) => id)).toContain(last!.id);
  });

  it('ends where causes point in a circle', async () => {
    const ids = [newId(), newId()];
    await database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
         correlation_id, causation_id, occurred_at, data)
       select pg_current_xact_id(), $1, e.id, 'test.domino', e.id, 1, 'test.domino.pushed', 1, 'nobody', 'r', e.cause, now(), '{}'
       from (values ($2::uuid, $3::text), ($3::uuid, $2::text)) e (id, cause)`,
      [caller.tenantId, ...ids],
    );
    const { nodes, truncated } = await chain(ids[0]!);
    expect(nodes.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(truncated).toBe(true);
  });

  it('is not there for another tenant', async () => {
    const id = await push();
    const stranger = await database.caller();
    await expect(chain(id, stranger)).rejects.toMatchObject({ code: 'resource.not_found' });
    await expect(chain(newId())).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
