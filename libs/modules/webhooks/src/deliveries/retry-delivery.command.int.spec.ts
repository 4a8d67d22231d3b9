import { type Caller, newId } from '@holdfast/kernel';
import { eventually, Receiver } from '@holdfast/testing';
import { SendingApp } from '../../test/sending-app';
import { RetryDelivery } from './retry-delivery.command';

describe('RetryDelivery', () => {
  let app: SendingApp;
  let caller: Caller;
  let to: Receiver;
  let status = 500;

  beforeAll(async () => {
    app = await SendingApp.start();
    to = await Receiver.start((response) => response.writeHead(status).end());
  });
  beforeEach(async () => {
    caller = await app.app.tenant();
    to.received.length = 0;
  });
  afterEach(() => app.stopSenders());
  afterAll(async () => {
    await app.close();
    await to.stop();
  });

  it('sends now what waits for its next attempt, and what was delivered, under the same id', async () => {
    status = 500;
    const webhook = await app.app.webhook(caller, to.url);
    await app.announce(caller, [newId()], app.sender());
    const only = async () => (await app.deliveries(caller, webhook.id))[0]!;
    await eventually(async () => (await only()).attempts === 1);
    const { id } = await only();
    status = 200;
    const retry = new RetryDelivery(caller, { webhookId: webhook.id, id });
    expect(await app.app.do(retry)).toEqual({ id, status: 'pending' });
    await eventually(async () => (await only()).status === 'delivered');
    await app.app.do(retry);
    await to.until(3);
    await eventually(async () => (await only()).attempts === 3);
    expect(new Set(to.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([id]));
    expect((await app.detail(caller, webhook.id, id)).log.map(({ outcome }) => outcome)).toEqual([
      'delivered',
      'delivered',
      'status',
    ]);
  });

  it('keeps the newest twenty attempts of one that is retried without end', async () => {
    status = 500;
    const webhook = await app.app.webhook(caller, to.url);
    const sender = app.sender();
    await app.announce(caller, [newId()], sender);
    const only = async () => (await app.deliveries(caller, webhook.id))[0]!;
    for (let attempt = 1; attempt <= 23; attempt += 1) {
      await eventually(async () => (await only()).attempts === attempt);
      await app.app.do(new RetryDelivery(caller, { webhookId: webhook.id, id: (await only()).id }));
      sender.wake(caller.tenantId);
    }
    await eventually(async () => (await only()).attempts === 24);
    const { log } = await app.detail(caller, webhook.id, (await only()).id);
    expect([log.length, log[0]?.number, log.at(-1)?.number]).toEqual([20, 24, 5]);
  });

  it('finds none of another webhook or tenant', async () => {
    const [webhook, other] = [await app.app.webhook(caller, to.url), await app.app.webhook(caller, to.url)];
    await app.announce(caller, [newId()]);
    const [delivery] = await app.deliveries(caller, webhook.id);
    const missing = { code: 'resource.not_found' };
    for (const [by, webhookId] of [
      [caller, other.id],
      [await app.app.tenant(), webhook.id],
    ] as const)
      await expect(app.app.do(new RetryDelivery(by, { webhookId, id: delivery!.id }))).rejects.toMatchObject(
        missing,
      );
  });

  it('is refused where there is nothing to sign with', async () => {
    const webhook = await app.app.webhook(caller, to.url);
    await app.announce(caller, [newId()]);
    const [delivery] = await app.deliveries(caller, webhook.id);
    await app.app.database.admin('delete from webhooks.secrets where tenant_id = $1', [caller.tenantId]);
    const retry = app.app.do(new RetryDelivery(caller, { webhookId: webhook.id, id: delivery!.id }));
    await expect(retry).rejects.toMatchObject({ code: 'webhooks.no_secret' });
  });
});
