import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Keyring, type SealingKey } from './sealing';
import type { TenantKeys } from './tenant-keys';

const KEY_BYTES = 32;
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const KEY_FILE = /^(?<id>[0-9a-f-]{36})\.key$/;

interface KeyFile {
  readonly keyId: string;
  readonly sealed: string;
}

/**
 * Keys of tenants as files, `<directory>/<tenant>/<key>.key`, each sealed under VAULT_KEY: whoever copies the directory alone
 * has nothing, and neither has who knows VAULT_KEY alone. On a volume that several pods share, all of them see a file once
 * its rename is done.
 *
 * A file is unlinked, not overwritten: on flash and on copying file systems that would reach other blocks. What may be left in
 * free blocks is under VAULT_KEY. The directory is not to be in the backup of the database, nor in one that is kept for long.
 */
export class KeyDirectory implements TenantKeys {
  private readonly keyring: Keyring;

  constructor(
    private readonly directory: string,
    keys: readonly SealingKey[],
  ) {
    this.keyring = new Keyring(keys, 'VAULT_KEY');
  }

  async create(tenantId: string, keyId: string): Promise<void> {
    const folder = this.folderOf(tenantId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await flushFolder(this.directory);
    const { keyId: sealedWith, sealed } = this.keyring.seal(
      bindingOf(tenantId, keyId),
      randomBytes(KEY_BYTES),
    );
    const content: KeyFile = { keyId: sealedWith, sealed: sealed.toString('base64') };
    const draft = join(folder, `${keyId}.${randomBytes(8).toString('hex')}.draft`);
    await writeFlushed(draft, `${JSON.stringify(content)}\n`);
    // A link refuses where a rename would replace: of two that make the same key, one stays, and both then read that one.
    await link(draft, this.fileOf(tenantId, keyId)).catch(unless('EEXIST'));
    await rm(draft, { force: true });
    await flushFolder(folder);
  }

  async find(tenantId: string, keyId: string): Promise<Buffer | undefined> {
    // A volume that is not mounted has no keys either, and says nothing about them.
    await stat(this.directory);
    const text = await readFile(this.fileOf(tenantId, keyId), 'utf8').catch(unless('ENOENT'));
    if (text === undefined) return undefined;
    const { keyId: sealedWith, sealed } = JSON.parse(text) as KeyFile;
    return this.keyring.open(bindingOf(tenantId, keyId), {
      keyId: sealedWith,
      sealed: Buffer.from(sealed, 'base64'),
    });
  }

  async destroyOthers(tenantId: string, keptId: string): Promise<void> {
    const folder = this.folderOf(tenantId);
    for (const name of await namesIn(folder))
      if (name !== `${keptId}.key`) await rm(join(folder, name), { force: true });
    await flushFolder(folder);
  }

  async destroyAll(tenantId: string): Promise<void> {
    await rm(this.folderOf(tenantId), { recursive: true, force: true });
    await flushFolder(this.directory);
  }

  /**
   * Seals every key anew under the first of VAULT_KEY, where another has sealed it, and answers how many that were. Nobody may
   * destroy keys meanwhile: what was destroyed between reading and renaming would come back.
   */
  async sealAnew(tenantId: string): Promise<number> {
    let renewed = 0;
    for (const name of await namesIn(this.folderOf(tenantId))) {
      const keyId = KEY_FILE.exec(name)?.groups?.['id'];
      if (keyId !== undefined && (await this.sealKeyAnew(tenantId, keyId))) renewed += 1;
    }
    return renewed;
  }

  private async sealKeyAnew(tenantId: string, keyId: string): Promise<boolean> {
    const file = this.fileOf(tenantId, keyId);
    const known = JSON.parse(await readFile(file, 'utf8')) as KeyFile;
    if (known.keyId === this.keyring.sealsWith) return false;
    const binding = bindingOf(tenantId, keyId);
    const key = this.keyring.open(binding, {
      keyId: known.keyId,
      sealed: Buffer.from(known.sealed, 'base64'),
    });
    const { keyId: sealedWith, sealed } = this.keyring.seal(binding, key);
    const content: KeyFile = { keyId: sealedWith, sealed: sealed.toString('base64') };
    const draft = `${file}.${randomBytes(8).toString('hex')}.draft`;
    await writeFlushed(draft, `${JSON.stringify(content)}\n`);
    await rename(draft, file);
    await flushFolder(this.folderOf(tenantId));
    return true;
  }

  private folderOf(tenantId: string): string {
    return join(this.directory, requireId(tenantId));
  }

  private fileOf(tenantId: string, keyId: string): string {
    return join(this.folderOf(tenantId), `${requireId(keyId)}.key`);
  }
}

function bindingOf(tenantId: string, keyId: string): string {
  return `holdfast tenant key ${tenantId} ${keyId}`;
}

/** Ids become names of files: nothing else may. */
function requireId(id: string): string {
  if (!ID.test(id)) throw new Error('a key is kept under UUIDs only');
  return id;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(unless('ENOENT'))) ?? [];
}

async function writeFlushed(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  await closing(handle, async () => {
    await handle.writeFile(text);
    await handle.sync();
  });
}

/** Without this a file that was made, or removed, may be gone, or back, after a crash of the machine. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(unless('ENOENT'));
  if (handle) await closing(handle, () => handle.sync());
}

async function closing(handle: FileHandle, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await handle.close();
  }
}

function unless(code: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code !== code) throw error;
  };
}
