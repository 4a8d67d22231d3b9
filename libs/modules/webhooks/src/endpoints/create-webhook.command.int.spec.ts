import { InvalidInput, PLANS } from '@holdfast/kernel';
import { WebhooksApp } from '../../test/webhooks-app';
import { ChangeWebhook } from './change-webhook.command';
import { CreateWebhook, createWebhookInput } from './create-webhook.command';
import { RotateWebhookSecret } from './rotate-webhook-secret.command';
import { WebhookById, Webhooks } from './webhooks.query';

const URL = 'https://receiver.example.com/hook';

describe('CreateWebhook', () => {
  let app: WebhooksApp;
  beforeAll(
    async () => void (app = await WebhooksApp.start([{ id: 'test', key: 'A'.repeat(43) + '=' }], [])),
  );
  afterAll(() => app.close());

  it('shows the secret once, and stores it nowhere in the clear', async () => {
    const caller = await app.tenant();
    const { secret, ...webhook } = await app.webhook(caller, URL, { eventTypes: ['ledger.*'] });
    expect(secret).toMatch(/^whsec_/);
    const shown = await app.ask(new WebhookById(caller, { id: webhook.id }));
    expect(shown).toEqual(webhook);
    expect(shown).toMatchObject({ url: URL, enabled: true, eventTypes: ['ledger.*'], version: '1' });
    const bytes = Buffer.from((secret ?? '').slice('whsec_'.length), 'base64').toString('hex');
    const stored = await app.database.admin<{ text: string }>(
      `select t::text as text from webhooks.secrets t
       union all select t::text from webhooks.endpoints t
       union all select t::text from events.log t
       union all select t::text from idempotency.answers t`,
    );
    expect(stored.filter(({ text }) => text.includes(bytes) || text.includes(secret ?? ''))).toEqual([]);
  });

  it('shows of ed25519 the public key, at any time', async () => {
    const caller = await app.tenant();
    const { secret, ...webhook } = await app.webhook(caller, URL, { signing: 'ed25519' });
    expect(secret).toBeNull();
    expect(webhook.secrets).toMatchObject([{ signing: 'ed25519', endsAt: null }]);
    expect(webhook.secrets[0]?.publicKey).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
    expect((await app.ask(new Webhooks(caller, { limit: 10 }))).data).toEqual([webhook]);
  });

  it('answers a repeated request without the secret', async () => {
    const caller = await app.tenant();
    const input = createWebhookInput.parse({ url: URL });
    const ask = async () => {
      const command = new CreateWebhook(caller, input, { key: 'same', replayed: false });
      return command.withSecret(await app.do(command));
    };
    const [first, again] = [await ask(), await ask()];
    expect(again).toEqual({ ...first, secret: null });
  });

  it('announces neither address nor secret', async () => {
    const { id } = await app.webhook(await app.tenant(), URL);
    expect(await app.events(id)).toEqual([
      { type: 'webhooks.endpoint.created', stream_version: '1', data: {} },
    ]);
  });

  it.each([
    'http://example.com/',
    'https://10.0.0.1/',
    'https://u:p@example.com/',
    'https://example.com:22/',
  ])('refuses %s', async (url) => {
    const making = app.webhook(await app.tenant(), url);
    await expect(making).rejects.toBeInstanceOf(InvalidInput);
    await expect(making).rejects.toMatchObject({
      errors: [{ pointer: '/url', code: 'webhooks.url_not_allowed' }],
    });
  });

  it('makes as many as the plan allows, also of many at once', async () => {
    const caller = await app.tenant('free');
    const made = await Promise.allSettled(
      Array.from({ length: PLANS.free.quotas.webhooks + 3 }, () => app.webhook(caller, URL)),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(PLANS.free.quotas.webhooks);
    const refused = made.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'tenants.quota_exceeded' });
  });

  it('is nothing that support access could leave behind, whatever the code above the database does', async () => {
    const caller = await app.tenant();
    const { id } = await app.webhook(caller, URL);
    const support = await app.supporting(caller.tenantId);
    await expect(app.webhook(support, URL)).rejects.toMatchObject({ code: 'HF003' });
    const elsewhere = new ChangeWebhook(support, { id, version: '1', url: 'https://example.com/theirs' });
    await expect(app.do(elsewhere)).rejects.toMatchObject({ code: 'HF003' });
    const rotation = new RotateWebhookSecret(support, { id, overlapSeconds: 60 });
    await expect(app.do(rotation)).rejects.toMatchObject({ code: 'HF003' });
    const off = new ChangeWebhook(support, { id, version: '1', enabled: false });
    expect(await app.do(off)).toMatchObject({ enabled: false });
  });

  it('is refused where nothing could be signed', async () => {
    const bare = await WebhooksApp.start([]);
    try {
      await expect(bare.webhook(await bare.tenant(), URL)).rejects.toMatchObject({
        code: 'webhooks.not_configured',
        kind: 'refused',
      });
    } finally {
      await bare.close();
    }
  });
});
