import { newId, PLANS } from '@holdfast/kernel';
import { WriteKeyVerifier } from '@holdfast/ingest';
import { PUBLIC_KEY, WriteKeysApp } from '../../test/write-keys-app';
import { CreateWriteKey } from './create-write-key.command';
import { RevokeWriteKey } from './revoke-write-key.command';
import { WriteKeys } from './write-keys.query';

describe('CreateWriteKey', () => {
  let app: WriteKeysApp;
  beforeAll(async () => {
    app = await WriteKeysApp.start();
  });
  afterAll(() => app.close());

  const all = { limit: 200 };

  it('makes a key that says whose it is to whoever has the public key, and that is shown again', async () => {
    const caller = await app.database.caller();
    const made = await app.do(new CreateWriteKey(caller, { name: 'web shop' }));
    const verifier = new WriteKeyVerifier([PUBLIC_KEY]);
    expect(verifier.holderOf(made.key ?? '')).toEqual({ keyId: made.id, tenantId: caller.tenantId });
    expect(made).toMatchObject({ name: 'web shop', createdBy: caller.actor, revokedAt: null });
    expect((await app.ask(new WriteKeys(caller, all))).data).toEqual([made]);
    expect(await app.events(caller)).toEqual([{ type: 'telemetry.write_key.created', data: {} }]);
  });

  it('is of its tenant alone', async () => {
    const [caller, other] = [await app.database.caller(), await app.database.caller()];
    const { id } = await app.do(new CreateWriteKey(caller, { name: 'web shop' }));
    expect((await app.ask(new WriteKeys(other, all))).data).toEqual([]);
    await expect(app.do(new RevokeWriteKey(other, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('makes as many as the plan includes, also when some are revoked at once', async () => {
    const caller = { ...(await app.database.caller()), plan: 'free' };
    const { writeKeys } = PLANS.free.quotas;
    const make = (): Promise<{ readonly id: string }> => app.do(new CreateWriteKey(caller, { name: 'key' }));
    const made = await Promise.allSettled(Array.from({ length: writeKeys + 2 }, make));
    const ids = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : []));
    expect(ids).toHaveLength(writeKeys);
    await app.do(new RevokeWriteKey(caller, { id: ids[0] ?? '' }));
    await expect(make()).rejects.toMatchObject({ code: 'tenants.quota_exceeded' });
    await app.database.admin(
      `update telemetry.write_keys set revoked_at = revoked_at - interval '1 day' where tenant_id = $1`,
      [caller.tenantId],
    );
    await make();
  });

  it('takes the scope', async () => {
    const caller = { ...(await app.database.caller()), scopes: ['telemetry:read'] };
    await expect(app.do(new CreateWriteKey(caller, { name: 'key' }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });

  it('says so where the installation signs none, and shows those that it has without their text', async () => {
    const unsigned = await WriteKeysApp.start({});
    const caller = await unsigned.database.caller();
    await expect(unsigned.do(new CreateWriteKey(caller, { name: 'key' }))).rejects.toMatchObject({
      code: 'telemetry.not_configured',
    });
    await unsigned.database.admin(
      `insert into telemetry.write_keys (tenant_id, id, name, created_by) values ($1, $2, 'key', 'member:x')`,
      [caller.tenantId, newId()],
    );
    expect((await unsigned.ask(new WriteKeys(caller, all))).data).toMatchObject([{ name: 'key', key: null }]);
    await unsigned.close();
  });
});
