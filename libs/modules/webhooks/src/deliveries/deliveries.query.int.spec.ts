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

  it('are another tenant’s as little as its webhook', async () => {
    const webhook = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    const other = await app.app.tenant();
    await expect(app.deliveries(other, webhook.id)).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
