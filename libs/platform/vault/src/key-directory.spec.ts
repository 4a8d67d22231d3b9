import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyDirectory } from './key-directory';

/** Whoever has a copy of the database, of the directory or of VAULT_KEY alone reads nothing; what is destroyed stays so. */
describe('The directory of keys', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-vault-'));
  const [old, fresh] = ['old', 'fresh'].map((id) => ({ id, key: randomBytes(32).toString('base64') }));
  const keys = new KeyDirectory(directory, [old!]);
  afterAll(() => rmSync(directory, { recursive: true }));

  it('keeps a key of 32 bytes, sealed, for its owner alone', async () => {
    const [tenant, id] = [randomUUID(), randomUUID()];
    expect(await keys.find(tenant, id)).toBeUndefined();
    await keys.create(tenant, id);
    const key = await keys.find(tenant, id);
    expect(key).toHaveLength(32);
    const file = join(directory, tenant, `${id}.key`);
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain(key?.toString('base64'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(directory, tenant))).toEqual([`${id}.key`]);
  });

  it('leaves a key that is there as it is, whoever makes it again', async () => {
    const [tenant, id] = [randomUUID(), randomUUID()];
    await Promise.all(Array.from({ length: 5 }, () => keys.create(tenant, id)));
    const key = await keys.find(tenant, id);
    await keys.create(tenant, id);
    expect(await keys.find(tenant, id)).toEqual(key);
  });

  it('destroys every key but one, and drafts that a crash has left', async () => {
    const [tenant, kept, gone] = [randomUUID(), randomUUID(), randomUUID()];
    for (const id of [kept, gone]) await keys.create(tenant, id);
    await keys.destroyOthers(tenant, kept);
    await keys.destroyOthers(tenant, kept);
    expect(readdirSync(join(directory, tenant))).toEqual([`${kept}.key`]);
    expect(await keys.find(tenant, gone)).toBeUndefined();
    await keys.destroyAll(tenant);
    await keys.destroyAll(tenant);
    expect(existsSync(join(directory, tenant))).toBe(false);
  });

  it('seals anew under the first key, and opens by any', async () => {
    const [tenant, id] = [randomUUID(), randomUUID()];
    await keys.create(tenant, id);
    const key = await keys.find(tenant, id);
    const both = new KeyDirectory(directory, [fresh!, old!]);
    expect(await both.find(tenant, id)).toEqual(key);
    await expect(new KeyDirectory(directory, [fresh!]).find(tenant, id)).rejects.toThrow('no key old');
    expect(await both.sealAnew(tenant)).toBe(1);
    expect(await both.sealAnew(tenant)).toBe(0);
    expect(await new KeyDirectory(directory, [fresh!]).find(tenant, id)).toEqual(key);
  });

  it('does not take a volume that is not there for one without keys', async () => {
    const away = new KeyDirectory(join(directory, 'not-mounted'), [old!]);
    await expect(away.find(randomUUID(), randomUUID())).rejects.toThrow('ENOENT');
  });

  it('takes UUIDs for names of files and nothing else', async () => {
    await expect(keys.create('../elsewhere', randomUUID())).rejects.toThrow('UUIDs only');
    await expect(keys.find(randomUUID(), '../../key')).rejects.toThrow('UUIDs only');
  });
});
