import { type Caller, newId } from '@holdfast/kernel';
import { SendingApp } from '../../test/sending-app';
import { RetryDeliveries } from './retry-deliveries.command';

describe('RetryDeliveries', () => {
  let app: SendingApp;
  let caller: Caller;
  beforeAll(async () => void (app = await SendingApp.start()));
  beforeEach(async () => void (caller = await app.app.tenant()));
  afterAll(() => app.close());

  const from = '2026-01-01T00:00:00Z';

  it('takes what the filter chooses and leaves the rest', async () => {
    const webhook = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    await app.announce(caller, [newId(), newId()]);
    await app.announce(caller, [newId()], undefined, 'else.thing.made');
    await over('failed');
    const retry = (more: object) =>
      app.app.do(new RetryDeliveries(caller, { webhookId: webhook.id, status: 'failed', from, ...more }));
    expect(await retry({ status: 'canceled' })).toEqual({ retried: 0, nextFrom: null });
    expect(await retry({ to: from })).toEqual({ retried: 0, nextFrom: null });
    expect(await retry({ type: 'else.thing.made' })).toEqual({ retried: 1, nextFrom: null });
    expect(
      (await app.deliveries(caller, webhook.id, { status: 'pending' })).map((each) => each.eventType),
    ).toEqual(['else.thing.made']);
    expect(await retry({})).toEqual({ retried: 2, nextFrom: null });
    expect(await retry({})).toEqual({ retried: 0, nextFrom: null });
  });

  it('takes a thousand at a time and says where to go on', async () => {
    const webhook = await app.app.webhook(caller, 'http://127.0.0.1:9/');
    await app.app.database.admin(
      `insert into webhooks.deliveries (tenant_id, id, endpoint_id, event_id, event_type, stream, seq, status, created_at)
       select $1, gen_random_uuid(), $2, gen_random_uuid(), 'a.b.made', 'a.b/' || n % 40, n, 'failed',
         now() - interval '1 hour' + n * interval '1 millisecond'
       from generate_series(1, 2100) n`,
      [caller.tenantId, webhook.id],
    );
    const rounds: number[] = [];
    for (let since: string | null = from; since !== null;) {
      const retry: RetryDeliveries = new RetryDeliveries(caller, {
        webhookId: webhook.id,
        status: 'failed',
        from: since,
      });
      const { retried, nextFrom } = await app.app.do(retry);
      rounds.push(retried);
      since = nextFrom;
    }
    expect(rounds).toEqual([1_000, 1_000, 100]);
    const [left] = await app.app.database.admin<{ lanes: number }>(
      'select count(*)::int as lanes from webhooks.lanes where tenant_id = $1',
      [caller.tenantId],
    );
    expect(left?.lanes).toBe(40);
  });

  async function over(status: string): Promise<void> {
    const { database } = app.app;
    await database.admin('update webhooks.deliveries set status = $2 where tenant_id = $1', [
      caller.tenantId,
      status,
    ]);
    await database.admin('delete from webhooks.lanes where tenant_id = $1', [caller.tenantId]);
  }
});
