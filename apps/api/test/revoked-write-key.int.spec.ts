import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  fingerprintOf,
  KeyList,
  type KeyListContents,
  type WriteKeyHolder,
  WriteKeySigner,
  WriteKeyVerifier,
} from '@holdfast/ingest';
import { createLogger } from '@holdfast/observability';
import { TestApi, WRITE_KEY_PRIVATE } from './test-api';

/** Promise 7: keys verify without a database, and a revoked one is refused within a minute all the same. */
describe('What ingest hears of write keys from the API', () => {
  const verifier = new WriteKeyVerifier([new WriteKeySigner(WRITE_KEY_PRIVATE).publicKey]);
  const logger = createLogger({ app: 'ingest', level: 'silent' });
  let api: TestApi;
  let apiUrl: string;
  let directory: string;
  const lists: KeyList[] = [];

  beforeAll(async () => {
    api = await TestApi.start();
    await api.app.listen(0, '127.0.0.1');
    apiUrl = await api.app.getUrl();
  }, 60_000);
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-ingest-'));
  });
  afterEach(async () => {
    await Promise.all(lists.splice(0).map((list) => list.stop()));
    rmSync(directory, { recursive: true });
  });
  afterAll(() => api.close());

  const opened = (url = apiUrl): KeyList => {
    const list = new KeyList({ verifier, apiUrl: url, directory, logger });
    lists.push(list);
    return list;
  };
  const made = async (key: string): Promise<{ readonly id: string; readonly holder: WriteKeyHolder }> => {
    const { body } = await api.ask('POST', '/v1/telemetry/write-keys', { key, body: { name: 'shop' } });
    const holder = verifier.holderOf(String(body['key']));
    if (!holder) throw new Error(`no write key: ${JSON.stringify(body)}`);
    return { id: String(body['id']), holder };
  };
  /** As in the time between two polls: the API answers the same list for two seconds. */
  const later = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 2_100));

  it('is that a revoked key is refused from the next poll on, also without the API and after a restart', async () => {
    const tenant = await api.tenant();
    const [kept, revoked] = [await made(tenant.key), await made(tenant.key)];
    expect(revoked.holder).toEqual({ keyId: revoked.id, tenantId: tenant.id });
    const list = opened();
    await list.poll();
    expect(list.stateOf(revoked.holder)).toEqual({ plan: 'standard' });
    const { status } = await api.ask('DELETE', `/v1/telemetry/write-keys/${revoked.id}`, { key: tenant.key });
    expect(status).toBe(204);
    await later();
    await list.poll();
    expect(list.stateOf(revoked.holder)).toEqual({ refused: 'revoked', plan: 'standard' });
    expect(list.stateOf(kept.holder)).toEqual({ plan: 'standard' });
    const restarted = opened('http://127.0.0.1:9');
    await restarted.poll();
    expect(restarted.stateOf(revoked.holder).refused).toBe('revoked');
  });

  it('is who is suspended, and who is on another plan', async () => {
    const [suspended, free] = [await api.tenant(), await api.tenant()];
    const keys = { suspended: await made(suspended.key), free: await made(free.key) };
    const reason = { body: { reason: 'to see what ingest hears' } };
    await api.operator('POST', `/v1/operator/tenants/${suspended.id}/suspend`, reason);
    await api.operator('PATCH', `/v1/operator/tenants/${free.id}`, { body: { plan: 'free' } });
    await later();
    const list = opened();
    await list.poll();
    expect(list.stateOf(keys.suspended.holder).refused).toBe('suspended');
    expect(list.stateOf(keys.free.holder)).toEqual({ plan: 'free' });
    await api.operator('POST', `/v1/operator/tenants/${suspended.id}/resume`, { body: {} });
    await later();
    await list.poll();
    expect(list.stateOf(keys.suspended.holder)).toEqual({ plan: 'standard' });
  });

  it('is whose erasure has begun, and of a tenant that waits for it only that it is not active', async () => {
    const [closing, erasing, erased] = [await api.tenant(), await api.tenant(), await api.tenant()];
    const holders = await Promise.all(
      [closing, erasing, erased].map(async ({ key }) => (await made(key)).holder),
    );
    for (const [state, { id }] of Object.entries({ closing, erasing, erased }))
      await api.database.admin('update auth.tenants set state = $2 where id = $1', [id, state]);
    await later();
    const list = opened();
    await list.poll();
    expect(holders.map((holder) => [list.stateOf(holder).refused, list.isErased(holder.tenantId)])).toEqual([
      ['suspended', false],
      ['suspended', true],
      ['suspended', true],
    ]);
  });

  it('is what is drilled as well, until when, and not by whom', async () => {
    const drill = { policy: 'partner_bank', does: 'slow', delayMs: 7 };
    const begun = await api.operator('POST', '/v1/operator/drills', { body: { ...drill, seconds: 60 } });
    expect(begun.status).toBe(202);
    await later();
    const { list } = (await api.ask('GET', '/v1/telemetry/key-list')).body;
    const { asOfMs, drills } = JSON.parse(String(list)) as KeyListContents;
    expect(drills).toEqual([{ ...drill, endsAtMs: expect.any(Number) as unknown }]);
    const leftMs = (drills[0]?.endsAtMs ?? 0) - asOfMs;
    expect([leftMs > 0, leftMs < 60_000]).toEqual([true, true]);
  });

  it('names nobody, wants no credential, and is sent again only when it says something else', async () => {
    const tenant = await api.largeTenant();
    const key = await made(tenant.key);
    await api.ask('DELETE', `/v1/telemetry/write-keys/${key.id}`, { key: tenant.key });
    await later();
    const first = await api.ask('GET', '/v1/telemetry/key-list');
    expect(first.status).toBe(200);
    expect(first.headers['cache-control']).toBe('public, max-age=5');
    expect(first.text).not.toContain(key.id);
    expect(first.text).not.toContain(tenant.id);
    expect(first.text).toContain(fingerprintOf(key.id));
    expect(first.text).toContain(fingerprintOf(tenant.id));
    await later();
    const headers = { 'if-none-match': String(first.headers['etag']) };
    const again = await api.ask('GET', '/v1/telemetry/key-list', { headers });
    expect([again.status, again.text]).toEqual([304, '']);
    await api.ask('DELETE', `/v1/telemetry/write-keys/${(await made(tenant.key)).id}`, { key: tenant.key });
    await later();
    expect((await api.ask('GET', '/v1/telemetry/key-list', { headers })).status).toBe(200);
  });
});
