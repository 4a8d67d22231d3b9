import { createPublicKey, type KeyObject } from 'node:crypto';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { formatVerifierKey, parseCheckpoint, parseNote, type VerifierKey, verifierKey } from '@holdfast/tlog';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { getCheckpoint, type SignedCheckpoint } from './checkpoint.query';
import type { OfEpoch } from './log-epoch';

/** The verifier keys of a tree of the tenant's, newest first. Throws NotSealed, NotFound. */
export class LogKey extends TenantQuery<OfEpoch, readonly string[]> {
  readonly scope = 'audit:read';
}

/** A key is replaced every few months, and an epoch lasts from one restore to the next. */
const KEYS_MAX = 64;

interface KeyRow {
  readonly public_key: Buffer;
  readonly is_of_epoch: boolean;
}

// An epoch ends where the next one begins.
const LIST_KEYS = statement<KeyRow>(
  'audit.list_log_keys',
  `select k.public_key, coalesce(
     k.last_used_at >= e.begun_at and k.first_used_at < coalesce(
       (select n.begun_at from audit.epochs n where n.tenant_id = $1 and n.epoch = $2 + 1), 'infinity'), false) as is_of_epoch
   from audit.log_keys k
   left join audit.epochs e on e.tenant_id = $1 and e.epoch = $2
   order by k.first_used_at desc, k.public_key
   limit $3`,
);

@QueryHandler(LogKey)
export class LogKeyHandler implements IQueryHandler<LogKey> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input }: LogKey): Promise<readonly string[]> {
    return this.tenants.reading(caller, async (tx) => {
      const keys = await listVerifierKeys(tx, await getCheckpoint(tx, input));
      return keys.map(formatVerifierKey);
    });
  }
}

/**
 * The keys that have signed in the checkpoint's epoch, and those of the checkpoint itself, under the name that it has: that
 * of its tree, by which key ids are made.
 */
export async function listVerifierKeys(
  tx: TenantTx,
  { epoch, note }: SignedCheckpoint,
): Promise<VerifierKey[]> {
  const { text, signatures } = parseNote(note);
  const { origin } = parseCheckpoint(text);
  const rows = await tx.rows(LIST_KEYS, [tx.tenantId, epoch, KEYS_MAX]);
  return rows.flatMap((row) => {
    const key = verifierKey(origin, ed25519(row.public_key));
    const hasSigned = signatures.some(({ name, keyId }) => name === key.name && keyId === key.keyId);
    return row.is_of_epoch || hasSigned ? [key] : [];
  });
}

function ed25519(raw: Buffer): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    format: 'jwk',
  });
}
