import { PLANS } from '@holdfast/kernel';
import { WebhooksApp } from '../../test/webhooks-app';
import { RemoveWebhook } from './remove-webhook.command';
import { WebhookById, Webhooks } from './webhooks.query';

describe('RemoveWebhook', () => {
  let app: WebhooksApp;
  beforeAll(async () => void (app = await WebhooksApp.start()));
  afterAll(() => app.close());

  it('hides it at once and makes room for another', async () => {
    const caller = await app.tenant('free');
    const make = () => app.webhook(caller, 'https://example.com/');
    const { id } = await make();
    for (let n = 1; n < PLANS.free.quotas.webhooks; n += 1) await make();
    await expect(app.do(new RemoveWebhook(caller, { id, version: '7' }))).rejects.toMatchObject({
      code: 'resource.version_mismatch',
    });
    await app.do(new RemoveWebhook(caller, { id, version: '1' }));
    await expect(app.ask(new WebhookById(caller, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await expect(app.do(new RemoveWebhook(caller, { id, version: '2' }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await make();
    const { data } = await app.ask(new Webhooks(caller, { limit: 10 }));
    expect(data).toHaveLength(PLANS.free.quotas.webhooks);
    expect(await app.events(id)).toMatchObject([
      {},
      { type: 'webhooks.endpoint.removed', stream_version: '2' },
    ]);
  });
});
