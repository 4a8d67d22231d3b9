import { type Caller, newId } from '@holdfast/kernel';
import { SendingApp } from '../../test/sending-app';
import { Deliveries, deliveriesInput } from './deliveries.query';

describe('Deliveries', () => {
  let app: SendingApp;
  let caller: Caller;
  beforeAll(async () => {
    app = await SendingApp.start();
    caller = await app.app.tenant();
  });
  afterAll(() => app.close());

  it('are listed newest first, in pages that neither lose nor repeat one', async () => {
    const webhook = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    // Of one transaction: all have the same instant.
    await app.announce(
      caller,
      Array.from({ length: 7 }, () => newId()),
    );
    await app.announce(caller, [newId()]);
    const all = (await app.deliveries(caller, webhook.id)).map(({ id }) => id);
    const paged: string[] = [];
    let after: string | undefined;
    do {
      const input = { ...deliveriesInput.parse({ limit: 3, after }), webhookId: webhook.id };
      const page = await app.app.ask(new Deliveries(caller, input));
      paged.push(...page.data.map(({ id }) => id));
      after = page.nextCursor ?? undefined;
    } while (after !== undefined);
    expect(paged).toEqual(all);
    expect(new Set(all).size).toBe(8);
  });

  it('are chosen by status, type and time', async () => {
    const webhook = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    await app.announce(caller, [newId()]);
    await app.announce(caller, [newId()], undefined, 'else.thing.made');
    const count = async (filter: object) => (await app.deliveries(caller, webhook.id, filter)).length;
    expect(await count({ type: 'else.thing.made' })).toBe(1);
    expect(await count({ status: 'pending' })).toBe(2);
    expect(await count({ status: 'failed' })).toBe(0);
    expect(await count({ to: '2026-01-01T00:00:00Z' })).toBe(0);
    expect(await count({ from: '2026-01-01T00:00:00Z', to: '2199-01-01T00:00:00Z' })).toBe(2);
  });

  it('are found at once where few of very many have failed, and else over pages that each look at some', async () => {
    const { id: webhookId } = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    await app.app.database.admin(
      `insert into webhooks.deliveries (tenant_id, id, endpoint_id, event_id, event_type, stream, seq, status, created_at)
       select $1, gen_random_uuid(), $2, gen_random_uuid(), case i when 1 then 'rare.thing.made' else 'probe.thing.made' end, 'probe/' || i, i,
         case i when 1 then 'failed' else 'delivered' end, now() - make_interval(secs => 4200 - i)
       from generate_series(1, 4100) i`,
      [caller.tenantId, webhookId],
    );
    const pagesOf = async (filter: object): Promise<number[]> => {
      const pages: number[] = [];
      for (let after: string | undefined, more = true; more; more = after !== undefined) {
        const input = { ...deliveriesInput.parse({ limit: 2, after, ...filter }), webhookId };
        const { data, nextCursor } = await app.app.ask(new Deliveries(caller, input));
        pages.push(data.length);
        after = nextCursor ?? undefined;
      }
      return pages;
    };
    expect(await pagesOf({ status: 'failed' })).toEqual([1]);
    expect(await pagesOf({ status: 'failed', type: 'probe.thing.made' })).toEqual([0]);
    expect(await pagesOf({ status: 'pending' })).toEqual([0, 0, 0]);
    expect(await pagesOf({ type: 'rare.thing.made' })).toEqual([0, 0, 1]);
  });

  it('are another tenant’s as little as its webhook', async () => {
    const webhook = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    const other = await app.app.tenant();
    await expect(app.deliveries(other, webhook.id)).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
