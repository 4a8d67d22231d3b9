import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyDirectory, type SealingKey, Vault } from '@holdfast/vault';

/** A directory of keys of a spec's own, and vaults over it: each as a process has it, which has read no key yet. */
export class TestVault {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-vault-'));
  readonly keys: readonly SealingKey[] = [{ id: 'test', key: randomBytes(32).toString('base64') }];

  /** The vault of one process more. */
  open(): Vault {
    return new Vault(new KeyDirectory(this.directory, this.keys));
  }

  /** What a process is configured with. */
  get environment(): { readonly VAULT_KEY: string; readonly VAULT_DIRECTORY: string } {
    return {
      VAULT_KEY: this.keys.map(({ id, key }) => `${id}=${key}`).join(),
      VAULT_DIRECTORY: this.directory,
    };
  }

  /** Removes the directory. */
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
