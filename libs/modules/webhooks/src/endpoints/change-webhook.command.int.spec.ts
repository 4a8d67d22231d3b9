import type { Caller } from '@holdfast/kernel';
import { WebhooksApp } from '../../test/webhooks-app';
import { ChangeWebhook } from './change-webhook.command';
import type { WebhookWithSecretView } from './webhook';

describe('ChangeWebhook', () => {
  let app: WebhooksApp;
  let caller: Caller;
  let webhook: WebhookWithSecretView;
  beforeAll(async () => void (app = await WebhooksApp.start()));
  beforeEach(async () => {
    caller = await app.tenant();
    webhook = await app.webhook(caller, 'https://example.com/a');
  });
  afterAll(() => app.close());

  const change = (more: object, version = webhook.version) =>
    app.do(new ChangeWebhook(caller, { id: webhook.id, version, ...more }));

  it('changes what is given and leaves the rest', async () => {
    expect(await change({ eventTypes: ['audit.*'] })).toMatchObject({
      url: webhook.url,
      eventTypes: ['audit.*'],
      version: '2',
    });
    await expect(change({ description: 'late' })).rejects.toMatchObject({
      code: 'resource.version_mismatch',
    });
    expect(await app.events(webhook.id)).toMatchObject([{}, { type: 'webhooks.endpoint.changed', data: {} }]);
  });

  it('switches it off and on, and says so once each', async () => {
    expect(await change({ enabled: false })).toMatchObject({ enabled: false, disabledReason: 'tenant' });
    expect(await change({ enabled: false }, '2')).toMatchObject({ version: '2' });
    const both = await change({ enabled: true, description: 'back' }, '2');
    expect(both).toMatchObject({ enabled: true, disabledReason: null, disabledAt: null, version: '4' });
    expect((await app.events(webhook.id)).map(({ type, data }) => [type, data])).toEqual([
      ['webhooks.endpoint.created', {}],
      ['webhooks.endpoint.disabled', { reason: 'tenant' }],
      ['webhooks.endpoint.changed', {}],
      ['webhooks.endpoint.enabled', {}],
    ]);
  });

  it('refuses an address that could not be delivered to', async () => {
    await expect(change({ url: 'https://[::1]/' })).rejects.toMatchObject({
      errors: [{ pointer: '/url', code: 'webhooks.url_not_allowed' }],
    });
  });

  it('finds none of another tenant', async () => {
    const other = await app.tenant();
    await expect(
      app.do(new ChangeWebhook(other, { id: webhook.id, version: '1', enabled: false })),
    ).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
