import { newId } from '@holdfast/kernel';
import { WriteKeysApp } from '../../test/write-keys-app';
import { CreateWriteKey } from './create-write-key.command';
import { RevokeWriteKey } from './revoke-write-key.command';
import { WriteKeys } from './write-keys.query';

describe('RevokeWriteKey', () => {
  let app: WriteKeysApp;
  beforeAll(async () => {
    app = await WriteKeysApp.start();
  });
  afterAll(() => app.close());

  it('ends a key once, however often it is asked', async () => {
    const caller = await app.database.caller();
    const { id } = await app.do(new CreateWriteKey(caller, { name: 'web shop' }));
    await Promise.all([1, 2].map(() => app.do(new RevokeWriteKey(caller, { id }))));
    const [key] = (await app.ask(new WriteKeys(caller, { limit: 1 }))).data;
    expect(key?.revokedAt).toMatch(/Z$/);
    expect((await app.events(caller)).map(({ type }) => type)).toEqual([
      'telemetry.write_key.created',
      'telemetry.write_key.revoked',
    ]);
    await expect(app.do(new RevokeWriteKey(caller, { id: newId() }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });
});
