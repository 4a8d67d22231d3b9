import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoTenant } from './dev-file';

/** What has to be the same at the next start. Passwords of roles follow from the administrator's. */
export interface DevSecrets {
  /** Of the superuser of the embedded PostgreSQL. */
  readonly adminPassword: string;
  /** For the routes under /v1/operator; the API knows its hash. */
  readonly operatorKey: string;
  /** Signs the receipts of erased tenants. */
  readonly receiptKey: string;
  /** Seals the secrets of webhooks: `id=key`. */
  readonly webhookKey: string;
  /** Signs the checkpoints of the audit logs. */
  readonly auditLogKey: string;
  /** Seals the keys of tenants in the vault: `id=key`. */
  readonly vaultKey: string;
  /** Signs write keys. */
  readonly writeKeyPrivate: string;
  /** The demo's tenants with their keys, which the API shows once and stores hashed. */
  readonly tenants: readonly DemoTenant[];
  /** Whether the demo's data are complete. */
  readonly demoDone: boolean;
}

const fileIn = (directory: string): string => join(directory, 'secrets.json');

/** The secrets of the directory; made, and written, when there are none. */
export function openDevSecrets(directory: string): DevSecrets {
  try {
    const known = JSON.parse(readFileSync(fileIn(directory), 'utf8')) as DevSecrets;
    return withMissing(directory, known);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const fresh: DevSecrets = {
    adminPassword: randomBytes(24).toString('base64url'),
    operatorKey: `hfo_${randomBytes(24).toString('base64url')}`,
    receiptKey: newSigningKey(),
    auditLogKey: newSigningKey(),
    webhookKey: newSealingKey(),
    vaultKey: newSealingKey(),
    writeKeyPrivate: newSigningKey(),
    tenants: [],
    demoDone: false,
  };
  saveDevSecrets(directory, fresh);
  return fresh;
}

/** A directory of a release that had fewer secrets; what is made is kept, since things are sealed with it. */
function withMissing(directory: string, known: DevSecrets): DevSecrets {
  const made = {
    receiptKey: newSigningKey(),
    auditLogKey: newSigningKey(),
    webhookKey: newSealingKey(),
    vaultKey: newSealingKey(),
    writeKeyPrivate: newSigningKey(),
  };
  const complete = { ...made, ...known };
  if (Object.keys(made).some((name) => !(name in known))) saveDevSecrets(directory, complete);
  return complete;
}

function newSealingKey(): string {
  return `dev=${randomBytes(32).toString('base64')}`;
}

function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
}

/** Writes the secrets in one piece, readable by their owner only. */
export function saveDevSecrets(directory: string, secrets: DevSecrets): void {
  const draft = `${fileIn(directory)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, fileIn(directory));
}
