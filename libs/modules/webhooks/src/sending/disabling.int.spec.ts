import { type Caller, newId } from '@holdfast/kernel';
import { eventually, Receiver } from '@holdfast/testing';
import { SendingApp } from '../../test/sending-app';
import { RetryDeliveries } from '../deliveries/retry-deliveries.command';
import { cancelDeadDeliveries } from '../deliveries/housekeeping.sql';
import { ChangeWebhook } from '../endpoints/change-webhook.command';
import { WebhookById } from '../endpoints/webhooks.query';

describe('A webhook', () => {
  let app: SendingApp;
  let caller: Caller;
  let to: Receiver;
  let status = 200;
  let headers: Record<string, string> = {};

  beforeAll(async () => {
    app = await SendingApp.start();
    to = await Receiver.start((response) => response.writeHead(status, headers).end());
  });
  beforeEach(async () => {
    caller = await app.app.tenant();
    [status, headers] = [200, {}];
    to.received.length = 0;
  });
  afterEach(() => app.stopSenders());
  afterAll(async () => {
    await app.close();
    await to.stop();
  });

  const shown = (id: string) => app.app.ask(new WebhookById(caller, { id }));

  /** As if the time until the next attempt were over. */
  const hurry = async (): Promise<void> => {
    await app.app.database.admin(`update webhooks.deliveries set due_at = now() where tenant_id = $1`, [
      caller.tenantId,
    ]);
    await app.app.database.admin(
      `update webhooks.lanes set due_at = now() where tenant_id = $1 and holder is null`,
      [caller.tenantId],
    );
  };

  it('is switched off by an answer 410, says so, and sends what was canceled when it is asked for', async () => {
    const webhook = await app.app.webhook(caller, to.url);
    status = 410;
    const [stream, other] = [newId(), newId()];
    const sender = app.sender();
    await app.announce(caller, [stream, stream], sender);
    await eventually(async () => !(await shown(webhook.id)).enabled);
    expect(await shown(webhook.id)).toMatchObject({ disabledReason: 'gone', version: '2' });
    expect((await app.app.events(webhook.id)).at(-1)).toEqual({
      type: 'webhooks.endpoint.disabled',
      stream_version: '2',
      data: { reason: 'gone' },
    });
    // What occurs while it is off is listed and not sent; what waited is canceled as well.
    await app.announce(caller, [other], sender);
    const tenants = app.app.database.tenants(1);
    await tenants.transaction(caller, (tx) => cancelDeadDeliveries(tx));
    const before = (await app.deliveries(caller, webhook.id)).map((each) => each.status);
    expect(before.toSorted()).toEqual(['canceled', 'canceled', 'failed']);
    expect(to.received).toHaveLength(1);
    expect(await lanes()).toBe(0);

    status = 200;
    const retry = (which: 'canceled' | 'failed') => {
      const from = new Date(Date.now() - 60_000).toISOString();
      return app.app.do(new RetryDeliveries(caller, { webhookId: webhook.id, status: which, from }));
    };
    await expect(retry('canceled')).rejects.toMatchObject({ code: 'webhooks.disabled' });
    await app.app.do(new ChangeWebhook(caller, { id: webhook.id, version: '2', enabled: true }));
    expect(await retry('failed')).toEqual({ retried: 1, nextFrom: null });
    expect(await retry('canceled')).toEqual({ retried: 2, nextFrom: null });
    await eventually(async () =>
      (await app.deliveries(caller, webhook.id)).every((each) => each.status === 'delivered'),
    );
    const versions = to
      .arrivals()
      .flatMap(({ subject, streamversion }) => (subject.endsWith(stream) ? [streamversion] : []));
    // The first time was before; then both, each in its place.
    expect(versions).toEqual(['1', '1', '2']);
  });

  it('is switched off once nothing but failures has come of it for five days', async () => {
    const webhook = await app.app.webhook(caller, to.url);
    status = 500;
    const sender = app.sender();
    await app.announce(caller, [newId()], sender);
    await to.until(1);
    await eventually(async () => (await shown(webhook.id)).failingSince !== null);
    expect(await shown(webhook.id)).toMatchObject({ enabled: true });
    await failingSince('4 days 23 hours');
    await hurry();
    await to.until(2);
    await eventually(async () => (await app.deliveries(caller, webhook.id))[0]?.attempts === 2);
    expect(await shown(webhook.id)).toMatchObject({ enabled: true });
    await failingSince('5 days 1 minute');
    await hurry();
    await eventually(async () => !(await shown(webhook.id)).enabled);
    expect(await shown(webhook.id)).toMatchObject({ disabledReason: 'failing' });
  });

  it('is not, if one delivery was taken in between', async () => {
    const webhook = await app.app.webhook(caller, to.url);
    const sender = app.sender();
    status = 500;
    await app.announce(caller, [newId()], sender);
    await eventually(async () => (await shown(webhook.id)).failingSince !== null);
    await failingSince('6 days');
    status = 200;
    await app.announce(caller, [newId()], sender);
    await eventually(async () => (await shown(webhook.id)).failingSince === null);
    status = 500;
    await app.announce(caller, [newId()], sender);
    await eventually(async () => (await shown(webhook.id)).failingSince !== null);
    expect(await shown(webhook.id)).toMatchObject({ enabled: true });
  });

  it('is tried ten times; then the delivery has failed and the next of its stream goes on', async () => {
    const webhook = await app.app.webhook(caller, to.url);
    const stream = newId();
    status = 503;
    const sender = app.sender();
    await app.announce(caller, [stream, stream], sender);
    const first = async () => (await app.deliveries(caller, webhook.id)).at(-1);
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await eventually(async () => ((await first())?.attempts ?? 0) >= attempt);
      if (attempt === 9) status = 500;
      if (attempt < 10) await hurry();
    }
    expect(await first()).toMatchObject({
      status: 'failed',
      attempts: 10,
      lastStatus: 500,
      nextAttemptAt: null,
    });
    status = 200;
    await hurry();
    await eventually(async () => (await app.deliveries(caller, webhook.id))[0]?.status === 'delivered');
    const detail = await app.detail(caller, webhook.id, (await first())!.id);
    expect(detail.log.map(({ number }) => number)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('is left alone for as long as 429 asks for', async () => {
    const webhook = await app.app.webhook(caller, to.url);
    [status, headers] = [429, { 'retry-after': '3600' }];
    await app.announce(caller, [newId()], app.sender());
    await eventually(async () => (await app.deliveries(caller, webhook.id))[0]?.attempts === 1);
    const [delivery] = await app.deliveries(caller, webhook.id);
    const waitsMs = Date.parse(delivery?.nextAttemptAt ?? '') - Date.now();
    expect(waitsMs).toBeGreaterThan(3_500_000);
    expect(waitsMs).toBeLessThanOrEqual(3_600_000);
  });

  async function failingSince(age: string): Promise<void> {
    await app.app.database.admin(
      `update webhooks.endpoints set failing_since = now() - $2::interval where tenant_id = $1`,
      [caller.tenantId, age],
    );
  }

  async function lanes(): Promise<number> {
    const rows = await app.app.database.admin('select from webhooks.lanes where tenant_id = $1', [
      caller.tenantId,
    ]);
    return rows.length;
  }
});
