import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Caller, newId } from '@holdfast/kernel';
import { Database, SystemTx } from '@holdfast/database';
import { TestDatabase, TestVault } from '@holdfast/testing';
import { openingOf } from './commitment';
import { KeyDirectory } from './key-directory';
import { type MendedVault, mendVault } from './mend-vault';
import type { Vault } from './vault';

describe('A vault behind the restore of a backup', () => {
  const keys = new TestVault();
  let database: TestDatabase;
  let admin: Database;
  let tenants: ReturnType<TestDatabase['tenants']>;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    admin = new Database({ url: database.adminUrl, name: 'test', connectionsMax: 1 });
    tenants = database.tenants();
  });
  beforeEach(async () => void (caller = await database.caller()));
  afterAll(async () => {
    await admin.close();
    await database.drop();
    keys.remove();
  });

  async function keep(subject: string, vault: Vault = keys.open()): Promise<string> {
    const eventId = newId();
    const value = { eventId, path: '/note', subject, ...openingOf('likes tea') };
    await tenants.transaction(caller, (tx) => vault.keep(tx, [value]));
    return eventId;
  }
  const read = (eventIds: readonly string[]): Promise<unknown[]> =>
    tenants.transaction(caller, async (tx) =>
      (await keys.open().read(tx, eventIds)).map(({ opening }) => opening?.value),
    );
  const mend = (
    discard: boolean,
    directory = new KeyDirectory(keys.directory, keys.keys),
  ): Promise<MendedVault> =>
    admin.transaction(
      (connection) => Object.assign(new SystemTx(connection), { tenantId: caller.tenantId }),
      (tx) => mendVault(tx, directory, { discard }),
    );
  const files = (): string[] => readdirSync(join(keys.directory, caller.tenantId));

  it('takes personal values again once what no key opens is discarded, and of who was erased none', async () => {
    const [ada, eve] = [randomUUID(), randomUUID()];
    const older = [await keep(ada), await keep(eve)];
    await database.admin(
      `set session_replication_role = replica; update audit.subject_keys set wrapped = null where subject = '${eve}'`,
    );
    // The backup names a key that a later erasure has destroyed.
    await new KeyDirectory(keys.directory, keys.keys).destroyAll(caller.tenantId);
    await expect(keep(ada)).rejects.toMatchObject({ code: 'vault.unavailable' });
    const found = await mend(false);
    expect(found).toMatchObject({ missingKeys: [expect.any(String)], discarded: 0 });
    await expect(keep(ada)).rejects.toMatchObject({ code: 'vault.unavailable' });
    expect(await mend(true)).toEqual({ ...found, discarded: 1 });
    const later = [await keep(ada), await keep(eve)];
    expect(await read([...older, ...later])).toEqual(['likes tea']);
    expect(await mend(true)).toEqual({ resealed: 0, missingKeys: [], discarded: 0 });
  });

  it('discards nothing whose key is there', async () => {
    const event = await keep(randomUUID());
    expect(await mend(true)).toEqual({ resealed: 0, missingKeys: [], discarded: 0 });
    expect(await read([event])).toEqual(['likes tea']);
  });

  it('is sealed anew under a fresh VAULT_KEY', async () => {
    await keep(randomUUID());
    const fresh = { id: 'fresh', key: randomBytes(32).toString('base64') };
    const both = new KeyDirectory(keys.directory, [fresh, ...keys.keys]);
    expect(await mend(false, both)).toEqual({ resealed: 1, missingKeys: [], discarded: 0 });
    const [file = ''] = files();
    const text = readFileSync(join(keys.directory, caller.tenantId, file), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ keyId: 'fresh' });
    expect(await mend(false, new KeyDirectory(keys.directory, [fresh]))).toMatchObject({ resealed: 0 });
    const alone = new KeyDirectory(keys.directory, keys.keys);
    await expect(mend(false, alone)).rejects.toThrow('no key fresh');
  });
});
