import type { Caller } from '@holdfast/kernel';
import { Webhook } from 'standardwebhooks';
import { eventually, Receiver } from '@holdfast/testing';
import { SendingApp } from '../../test/sending-app';
import { ChangeWebhook } from '../endpoints/change-webhook.command';
import { TestWebhook } from './test-webhook.command';

describe('TestWebhook', () => {
  let app: SendingApp;
  let caller: Caller;
  let to: Receiver;
  beforeAll(async () => {
    app = await SendingApp.start();
    to = await Receiver.start();
  });
  beforeEach(async () => void (caller = await app.app.tenant()));
  afterAll(async () => {
    await app.close();
    await to.stop();
  });

  it('sends one that is signed like every other, whatever types are wanted', async () => {
    const webhook = await app.app.webhook(caller, to.url, { eventTypes: ['ledger.*'] });
    app.sender();
    const { id } = await app.app.do(new TestWebhook(caller, { webhookId: webhook.id }));
    const [{ headers, body }] = (await to.until(1)) as [(typeof to.received)[number]];
    expect(headers['webhook-id']).toBe(id);
    expect(new Webhook(webhook.secret ?? '').verify(body, headers)).toMatchObject({
      specversion: '1.0',
      type: 'webhooks.endpoint.tested',
      tenantid: caller.tenantId,
    });
    await eventually(async () => (await app.deliveries(caller, webhook.id))[0]?.status === 'delivered');
    expect(await app.detail(caller, webhook.id, id)).toMatchObject({ body: JSON.parse(body) as object });
    // A test is no event: nothing is announced, so nobody else hears of it.
    expect(await app.app.events(webhook.id)).toHaveLength(1);
  });

  it('sends none to a webhook that is off', async () => {
    const { id, version } = await app.app.webhook(caller, to.url);
    await app.app.do(new ChangeWebhook(caller, { id, version, enabled: false }));
    await expect(app.app.do(new TestWebhook(caller, { webhookId: id }))).rejects.toMatchObject({
      code: 'webhooks.disabled',
    });
  });
});
