import type { Caller } from '@holdfast/kernel';
import { WebhooksApp } from '../../test/webhooks-app';
import { RotateWebhookSecret } from './rotate-webhook-secret.command';
import type { WebhookWithSecretView } from './webhook';
import { WebhookById } from './webhooks.query';

describe('RotateWebhookSecret', () => {
  let app: WebhooksApp;
  let caller: Caller;
  let webhook: WebhookWithSecretView;
  beforeAll(async () => void (app = await WebhooksApp.start()));
  beforeEach(async () => {
    caller = await app.tenant();
    webhook = await app.webhook(caller, 'https://example.com/');
  });
  afterAll(() => app.close());

  const rotate = async (overlapSeconds: number, more: object = {}) => {
    const command = new RotateWebhookSecret(caller, { id: webhook.id, overlapSeconds, ...more });
    return command.withSecret(await app.do(command));
  };

  it('leaves the one before to sign until the overlap ends, and ends what is older', async () => {
    const rotated = await rotate(3_600);
    expect(rotated.secret).toMatch(/^whsec_/);
    expect(rotated.secret).not.toBe(webhook.secret);
    const [newest, previous] = rotated.secrets;
    expect(newest?.endsAt).toBeNull();
    expect(previous?.id).toBe(webhook.secrets[0]?.id);
    const leftMs = Date.parse(previous?.endsAt ?? '') - Date.now();
    expect(leftMs).toBeGreaterThan(3_500_000);
    expect(leftMs).toBeLessThanOrEqual(3_600_000);
    const again = await rotate(60, { signing: 'ed25519' });
    expect(again).toMatchObject({ secret: null, signing: 'ed25519', version: '3' });
    expect(again.secrets.map(({ id, signing }) => [id === newest?.id, signing])).toEqual([
      [false, 'ed25519'],
      [true, 'hmac-sha256'],
    ]);
  });

  it('without overlap leaves one', async () => {
    const { secrets } = await rotate(0);
    expect(secrets).toHaveLength(1);
    expect(await app.ask(new WebhookById(caller, { id: webhook.id }))).toMatchObject({ secrets });
  });

  it('announces ids and instants alone', async () => {
    const { secrets } = await rotate(60);
    const [, event] = await app.events(webhook.id);
    expect(event).toEqual({
      type: 'webhooks.endpoint.secret_rotated',
      stream_version: '2',
      data: { secretId: secrets[0]?.id, previousEndsAt: secrets[1]?.endsAt },
    });
  });

  it('gives one to a webhook that came with an import, which begins there', async () => {
    await app.database.admin('delete from webhooks.secrets where tenant_id = $1', [caller.tenantId]);
    await app.database.admin(
      `update webhooks.endpoints set receives_from = '2020-01-01' where tenant_id = $1`,
      [caller.tenantId],
    );
    expect((await rotate(60)).secrets).toHaveLength(1);
    const [row] = await app.database.admin<{ fresh: boolean }>(
      `select receives_from > now() - interval '1 minute' as fresh from webhooks.endpoints where tenant_id = $1`,
      [caller.tenantId],
    );
    expect(row?.fresh).toBe(true);
  });
});
