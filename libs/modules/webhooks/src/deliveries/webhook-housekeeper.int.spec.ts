import { randomBytes } from 'node:crypto';
import { type Caller, newId } from '@holdfast/kernel';
import { SendingApp } from '../../test/sending-app';
import { TEST_KEY } from '../../test/webhooks-app';
import { ChangeWebhook } from '../endpoints/change-webhook.command';
import { RemoveWebhook } from '../endpoints/remove-webhook.command';
import { SecretKeyring } from '../secrets/secret-keyring';
import { WebhookHousekeeper } from './webhook-housekeeper';

describe('The housekeeper', () => {
  let app: SendingApp;
  let caller: Caller;
  beforeAll(async () => void (app = await SendingApp.start()));
  beforeEach(async () => void (caller = await app.app.tenant()));
  afterAll(() => app.close());

  const url = 'http://127.0.0.1:9/';

  async function turn(keys = [TEST_KEY]): Promise<void> {
    const { database, grants } = app.app;
    const failures: unknown[] = [];
    const keeper = new WebhookHousekeeper({
      tenants: database.tenants(1),
      relay: database.as('holdfast_relay', 1),
      grants,
      settings: { keys },
      report: (error) => void failures.push(error),
    });
    await keeper.turn();
    expect(failures).toEqual([]);
  }

  async function rows(): Promise<Record<string, number>> {
    const [counted] = await app.app.database.admin<Record<string, number>>(
      `select (select count(*) from webhooks.endpoints where tenant_id = $1)::int as endpoints,
         (select count(*) from webhooks.secrets where tenant_id = $1)::int as secrets,
         (select count(*) from webhooks.deliveries where tenant_id = $1)::int as deliveries,
         (select count(*) from webhooks.attempts where tenant_id = $1)::int as attempts,
         (select count(*) from webhooks.lanes where tenant_id = $1)::int as lanes`,
      [caller.tenantId],
    );
    return counted ?? {};
  }

  it('cancels what waits for a webhook that is off, but for what is under way', async () => {
    const { id, version } = await app.app.webhook(caller, url);
    const [busy, idle] = [newId(), newId()];
    await app.announce(caller, [busy, idle, idle]);
    await app.app.database.admin(
      `update webhooks.lanes set holder = gen_random_uuid(), due_at = now() + interval '1 minute'
       where tenant_id = $1 and stream like '%' || $2`,
      [caller.tenantId, busy],
    );
    await app.app.do(new ChangeWebhook(caller, { id, version, enabled: false }));
    await turn();
    const statuses = (await app.deliveries(caller, id)).map(({ stream, status }) => [
      stream.slice(-36),
      status,
    ]);
    expect(statuses.map(String).toSorted()).toEqual(
      [`${busy},pending`, `${idle},canceled`, `${idle},canceled`].toSorted(),
    );
    expect(await rows()).toMatchObject({ lanes: 1 });
  });

  it('deletes what is older than thirty days and over, with its attempts', async () => {
    await app.app.webhook(caller, url);
    const events = await app.announce(caller, [newId(), newId(), newId()]);
    const { tenantId } = caller;
    await app.app.database.admin(
      `insert into webhooks.attempts (tenant_id, delivery_id, number, started_at, outcome, latency_ms, url, request_headers)
       select tenant_id, id, 1, now(), 'delivered', 1, 'x', '{}' from webhooks.deliveries where tenant_id = $1`,
      [tenantId],
    );
    const age = (event: number, days: number, status: string) =>
      app.app.database.admin(
        `update webhooks.deliveries set created_at = now() - make_interval(days => $3), status = $4
         where tenant_id = $1 and event_id = $2`,
        [tenantId, events[event]!.id, days, status],
      );
    await age(0, 31, 'delivered');
    await age(1, 29, 'failed');
    await age(2, 31, 'pending');
    await turn();
    expect(await rows()).toMatchObject({ deliveries: 2, attempts: 2 });
    // What a replay of the group brings again of that age is not sent a second time.
    const old = { ...events[0]!, occurredAt: new Date(Date.now() - 31 * 86_400_000).toISOString() };
    await app.app.database.admin(
      `update webhooks.endpoints set receives_from = '2020-01-01' where tenant_id = $1`,
      [tenantId],
    );
    await app.deliver(caller, [old]);
    expect(await rows()).toMatchObject({ deliveries: 2 });
  });

  it('leaves nothing of a webhook that was removed, once nobody can be adding to it any more', async () => {
    const { id, version } = await app.app.webhook(caller, url);
    await app.announce(
      caller,
      Array.from({ length: 30 }, () => newId()),
    );
    await app.app.do(new RemoveWebhook(caller, { id, version }));
    await turn();
    expect(await rows()).toMatchObject({ endpoints: 1, secrets: 1, deliveries: 30, lanes: 0 });
    await app.app.database.admin(
      `update webhooks.endpoints set removed_at = now() - interval '6 minutes' where tenant_id = $1`,
      [caller.tenantId],
    );
    await turn();
    expect(await rows()).toEqual({ endpoints: 0, secrets: 0, deliveries: 0, attempts: 0, lanes: 0 });
  });

  it('forgets secrets that sign no more', async () => {
    await app.app.webhook(caller, url);
    await app.app.database.admin(
      `insert into webhooks.secrets (tenant_id, id, endpoint_id, scheme, sealed, key_id, ends_at)
       select tenant_id, gen_random_uuid(), endpoint_id, scheme, sealed, key_id, now() - interval '1 second'
       from webhooks.secrets where tenant_id = $1`,
      [caller.tenantId],
    );
    await turn();
    expect(await rows()).toMatchObject({ secrets: 1 });
  });

  // The last: from here on the key of the tests opens nothing.
  it('seals secrets anew once another key is in front, so that the one before can be taken away', async () => {
    const { id, secret } = await app.app.webhook(caller, url);
    const fresh = { id: 'fresh', key: randomBytes(32).toString('base64') };
    await turn([fresh, TEST_KEY]);
    const stored = await app.app.database.admin<{ id: string; keyId: string; sealed: Buffer }>(
      `select id, key_id as "keyId", sealed from webhooks.secrets where tenant_id = $1 and endpoint_id = $2`,
      [caller.tenantId, id],
    );
    expect(stored.map(({ keyId }) => keyId)).toEqual(['fresh']);
    const opened = new SecretKeyring([fresh]).open(stored[0]!, caller.tenantId, stored[0]!.id);
    expect(`whsec_${opened.toString('base64')}`).toBe(secret);
  });
});
