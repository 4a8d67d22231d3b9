import { randomBytes } from 'node:crypto';
import { newId } from '@holdfast/kernel';
import { decodeOpening, encodeOpening, type Opening } from './commitment';
import { KeyDirectory } from './key-directory';
import { open, seal, type SealingKey } from './sealing';
import type { TenantKeys } from './tenant-keys';
import { VaultUnavailable } from './vault.errors';
import {
  deleteDisclosures,
  type DisclosureRow,
  forgetSubjectKeys,
  insertDisclosures,
  insertSubjectKey,
  insertVault,
  listDisclosures,
  listSubjectKeys,
  lockOldSubjectKeys,
  lockVault,
  rewrapSubjectKeys,
  shareVault,
  type SubjectKeyRow,
  type TenantTransaction,
  turnVault,
} from './vault.sql';

/** A personal value of an event, with whose it is: what the event itself has a commitment to. */
export interface PersonalValue extends Opening {
  readonly eventId: string;
  /** The field of the payload. */
  readonly path: string;
  /** The person's id: of a member, say. */
  readonly subject: string;
}

/** A value that is kept of an event; without `opening` what is kept was altered and says nothing. */
export interface KeptValue {
  readonly eventId: string;
  readonly path: string;
  readonly subject: string;
  readonly opening: Opening | undefined;
}

const KEY_BYTES = 32;
/** Keys of tenants that a process remembers: 32 bytes each, and a file read for each that it does not. */
const REMEMBERED_MAX = 10_000;
/** A key that was destroyed is in no memory any more after this long. */
const REMEMBERED_MS = 300_000;

interface Remembered {
  readonly key: Buffer;
  readonly untilMs: number;
}

/**
 * Keeps what events may not say, personal values, where they can be taken away again: each sealed under a key of its
 * subject, that under a key of the tenant, and that outside the database.
 *
 * Right under concurrency: a writer shares the tenant's row of audit.vaults until its commit, an erasure locks it before it
 * names another key. So whoever writes sees either the old key and is waited for, or the new one; and the old key is
 * destroyed under the same lock, once nothing is wrapped by it.
 */
export class Vault {
  private readonly remembered = new Map<string, Remembered>();

  constructor(private readonly keys: TenantKeys) {}

  /** Keeps the values, in the transaction of their events; of a subject that was erased, nothing. */
  async keep(tx: TenantTransaction, values: readonly PersonalValue[]): Promise<void> {
    const keyId = (await shareVault(tx)) ?? (await this.begin(tx));
    const subjects = [...new Set(values.map(({ subject }) => subject))].toSorted();
    const keys = await this.subjectKeys(tx, keyId, subjects);
    const disclosures = values.flatMap((value) => {
      const key = keys.get(value.subject);
      if (!key) return [];
      const { eventId, path, subject } = value;
      const sealed = seal(key, placeOf(tx.tenantId, value), encodeOpening(value));
      return [{ eventId, path, subject, sealed }];
    });
    if (disclosures.length > 0) await insertDisclosures(tx, disclosures);
  }

  /** The values that are kept of these events, up to 5,000. What was erased, or cannot be read for good, is not among them. */
  async read(tx: TenantTransaction, eventIds: readonly string[]): Promise<KeptValue[]> {
    const { values, isComplete } = await this.opened(tx, await listDisclosures(tx, eventIds));
    if (isComplete) return values;
    // An erasure may have wrapped them anew, and destroyed the old key, since they were read.
    return (await this.opened(tx, await listDisclosures(tx, eventIds))).values;
  }

  /** Begins to erase: the keys of the subjects are gone, and the tenant has this other key, which is made where it is missing. */
  async erase(tx: TenantTransaction, subjects: readonly string[], nextKeyId: string): Promise<void> {
    const keyId = (await lockVault(tx)) ?? (await this.begin(tx));
    if (keyId !== nextKeyId) {
      await this.reaching(() => this.keys.create(tx.tenantId, nextKeyId));
      await turnVault(tx, nextKeyId);
    }
    await forgetSubjectKeys(tx, subjects, nextKeyId);
  }

  /** Deletes up to so many of the subjects' values, and answers how many. */
  deleteValues(tx: TenantTransaction, subjects: readonly string[], limit: number): Promise<number> {
    return deleteDisclosures(tx, subjects, limit);
  }

  /** Wraps up to so many keys of other subjects by the tenant's present key, and answers how many. */
  async rewrap(tx: TenantTransaction, limit: number): Promise<number> {
    const keyId = await shareVault(tx);
    if (keyId === undefined) return 0;
    const rows = await lockOldSubjectKeys(tx, keyId, limit);
    const wrapped = [];
    for (const row of rows) {
      const { subject } = row;
      const key = await this.unwrap(tx.tenantId, row);
      if (!key) throw new Error(`the key of subject ${subject} is wrapped by one that is gone`);
      wrapped.push({ subject, wrapped: await this.wrap(tx.tenantId, keyId, subject, key) });
    }
    if (wrapped.length > 0) await rewrapSubjectKeys(tx, keyId, wrapped);
    return rows.length;
  }

  /** Destroys every key of the tenant but the present one; false, and none, while another still wraps a subject's. */
  async destroyOldKeys(tx: TenantTransaction): Promise<boolean> {
    const keyId = await lockVault(tx);
    if (keyId === undefined) return true;
    if ((await lockOldSubjectKeys(tx, keyId, 1)).length > 0) return false;
    await this.reaching(() => this.keys.destroyOthers(tx.tenantId, keyId));
    this.forget(tx.tenantId);
    return true;
  }

  /** Destroys the keys of a tenant that is no more. */
  async destroyTenant(tenantId: string): Promise<void> {
    await this.reaching(() => this.keys.destroyAll(tenantId));
    this.forget(tenantId);
  }

  private forget(tenantId: string): void {
    for (const name of this.remembered.keys())
      if (name.startsWith(`${tenantId} `)) this.remembered.delete(name);
  }

  /** Gives the tenant its first key. Of one whose transaction is rolled back a file is left, which opens nothing. */
  private async begin(tx: TenantTransaction): Promise<string> {
    const keyId = newId();
    await this.reaching(() => this.keys.create(tx.tenantId, keyId));
    if (await insertVault(tx, keyId)) return keyId;
    const other = await shareVault(tx);
    if (other === undefined) throw new Error('the vault was there and is not');
    return other;
  }

  private async subjectKeys(
    tx: TenantTransaction,
    keyId: string,
    subjects: readonly string[],
  ): Promise<Map<string, Buffer>> {
    const keys = new Map<string, Buffer>();
    const known = new Set<string>();
    for (const row of await listSubjectKeys(tx, subjects)) {
      known.add(row.subject);
      if (row.wrapped) keys.set(row.subject, await this.present(tx.tenantId, row));
    }
    for (const subject of subjects.filter((each) => !known.has(each)))
      keys.set(subject, await this.newSubjectKey(tx, keyId, subject));
    return keys;
  }

  private async newSubjectKey(tx: TenantTransaction, keyId: string, subject: string): Promise<Buffer> {
    const key = randomBytes(KEY_BYTES);
    const wrapped = await this.wrap(tx.tenantId, keyId, subject, key);
    if (await insertSubjectKey(tx, { subject, key_id: keyId, wrapped })) return key;
    const [row] = await listSubjectKeys(tx, [subject]);
    if (!row) throw new Error('the key of the subject was there and is not');
    return this.present(tx.tenantId, row);
  }

  private async wrap(tenantId: string, keyId: string, subject: string, key: Buffer): Promise<Buffer> {
    const tenantKey = await this.tenantKey(tenantId, keyId);
    if (!tenantKey) throw new VaultUnavailable(new Error(`key ${keyId} of tenant ${tenantId} is not there`));
    return seal(tenantKey, wrappingOf(tenantId, subject, keyId), key);
  }

  private async unwrap(tenantId: string, row: SubjectKeyRow): Promise<Buffer | undefined> {
    const { subject, key_id: keyId, wrapped } = row;
    if (!wrapped) return undefined;
    const tenantKey = await this.tenantKey(tenantId, keyId);
    return tenantKey && open(tenantKey, wrappingOf(tenantId, subject, keyId), wrapped);
  }

  private async present(tenantId: string, row: SubjectKeyRow): Promise<Buffer> {
    const key = await this.unwrap(tenantId, row);
    if (!key) throw new VaultUnavailable(new Error(`key ${row.key_id} of tenant ${tenantId} is not there`));
    return key;
  }

  private async opened(
    { tenantId }: TenantTransaction,
    rows: readonly DisclosureRow[],
  ): Promise<{ readonly values: KeptValue[]; readonly isComplete: boolean }> {
    const keys = new Map<string, Buffer | undefined>();
    const values: KeptValue[] = [];
    let isComplete = true;
    for (const row of rows) {
      const { event_id: eventId, path, subject, sealed } = row;
      if (!keys.has(subject)) keys.set(subject, await this.unwrap(tenantId, row));
      const key = keys.get(subject);
      const place = { eventId, path, subject };
      if (key) values.push({ ...place, opening: openingIn(key, placeOf(tenantId, place), sealed) });
      else if (row.wrapped) isComplete = false;
    }
    return { values, isComplete };
  }

  private async tenantKey(tenantId: string, keyId: string): Promise<Buffer | undefined> {
    const name = `${tenantId} ${keyId}`;
    const known = this.remembered.get(name);
    if (known && known.untilMs > Date.now()) return known.key;
    const key = await this.reaching(() => this.keys.find(tenantId, keyId));
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    if (key) this.remembered.set(name, { key, untilMs: Date.now() + REMEMBERED_MS });
    else this.remembered.delete(name);
    return key;
  }

  private async reaching<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new VaultUnavailable(error);
    }
  }
}

function placeOf(
  tenantId: string,
  { eventId, path, subject }: Pick<PersonalValue, 'eventId' | 'path' | 'subject'>,
): string {
  return `holdfast disclosure ${tenantId} ${eventId} ${path} ${subject}`;
}

/** The vault that the configuration names: a directory, and what its keys are sealed with; undefined where it names none. */
export function openVault({
  vaultDirectory,
  vaultKeys,
}: {
  readonly vaultDirectory: string | undefined;
  readonly vaultKeys: readonly SealingKey[];
}): Vault | undefined {
  return vaultDirectory === undefined ? undefined : new Vault(new KeyDirectory(vaultDirectory, vaultKeys));
}

/** Undefined where a byte was altered, or the row moved from elsewhere. */
function openingIn(key: Buffer, place: string, sealed: Buffer): Opening | undefined {
  try {
    return decodeOpening(open(key, place, sealed));
  } catch {
    return undefined;
  }
}

function wrappingOf(tenantId: string, subject: string, keyId: string): string {
  return `holdfast subject key ${tenantId} ${subject} ${keyId}`;
}
