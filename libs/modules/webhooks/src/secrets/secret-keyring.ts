import { Keyring, type Sealed, type SealingKey } from '@holdfast/vault';
import { WebhooksNotConfigured } from '../webhooks.errors';

/**
 * Seals signing secrets. What is sealed is bound to tenant and secret, so a row that is copied to another does not open
 * there.
 */
export class SecretKeyring {
  private readonly keyring: Keyring;

  constructor(keys: readonly SealingKey[]) {
    this.keyring = new Keyring(keys, 'WEBHOOK_SECRETS_KEY');
  }

  /** What the first key is called; undefined without one. */
  get sealsWith(): string | undefined {
    return this.keyring.sealsWith;
  }

  /** Throws WebhooksNotConfigured without a key. */
  seal(secret: Buffer, tenantId: string, secretId: string): Sealed {
    if (this.sealsWith === undefined) throw new WebhooksNotConfigured();
    return this.keyring.seal(bindingOf(tenantId, secretId), secret);
  }

  /** Throws when the key is not there any more, or when the row is not the one that was sealed. */
  open(sealed: Sealed, tenantId: string, secretId: string): Buffer {
    return this.keyring.open(bindingOf(tenantId, secretId), sealed);
  }
}

function bindingOf(tenantId: string, secretId: string): string {
  return `holdfast webhook ${tenantId} ${secretId}`;
}
