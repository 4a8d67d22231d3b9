import { NotFound, VersionMismatch } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { Sealed } from '@holdfast/vault';
import type { SigningScheme } from '../secrets/signing-secret';
import type { DisabledReason, WebhookRow } from './webhook';

/** How many webhooks a tenant has, for its quota. */
export const COUNT_WEBHOOKS = statement<{ readonly count: bigint }>(
  'webhooks.count_endpoints',
  'select count(*) as count from webhooks.endpoints where tenant_id = $1 and removed_at is null',
);

const INSERT = statement(
  'webhooks.insert_endpoint',
  `insert into webhooks.endpoints (tenant_id, id, url, description, event_types, signing, created_by)
   values ($1, $2, $3, $4, $5, $6, tenancy.actor())`,
);

const FIND = statement<WebhookRow>(
  'webhooks.find_endpoint',
  `select e.id, e.url, e.description, e.event_types, e.signing, e.disabled_at, e.disabled_reason, e.failing_since,
     e.created_by, e.created_at, e.version,
     coalesce((
       select jsonb_agg(jsonb_build_object('id', s.id, 'scheme', s.scheme, 'publicKey', s.public_key,
         'createdAt', s.created_at, 'endsAt', s.ends_at) order by s.created_at desc)
       from webhooks.secrets s
       where s.tenant_id = $1 and s.endpoint_id = e.id and (s.ends_at is null or s.ends_at > clock_timestamp())
     ), '[]') as secrets
   from webhooks.endpoints e
   where e.tenant_id = $1 and e.id = $2 and e.removed_at is null`,
);

/** What a change of a webhook has to know of it. */
export interface LockedWebhook {
  readonly version: bigint;
  readonly url: string;
  readonly description: string;
  readonly event_types: string[];
  readonly signing: SigningScheme;
  readonly disabled_reason: DisabledReason | null;
}

const LOCK = statement<LockedWebhook>(
  'webhooks.lock_endpoint',
  `select version, url, description, event_types, signing, disabled_reason
   from webhooks.endpoints
   where tenant_id = $1 and id = $2 and removed_at is null
   for no key update`,
);

const UPDATE = statement(
  'webhooks.update_endpoint',
  `update webhooks.endpoints
   set url = $3, description = $4, event_types = $5, version = version + 1
   where tenant_id = $1 and id = $2`,
);

const ENABLE = statement(
  'webhooks.enable_endpoint',
  `update webhooks.endpoints
   set disabled_at = null, disabled_reason = null, failing_since = null, version = version + 1
   where tenant_id = $1 and id = $2`,
);

// The condition is for a sender that comes second: of two that are answered 410, one disables.
const DISABLE = statement<{ version: bigint }>(
  'webhooks.disable_endpoint',
  `update webhooks.endpoints
   set disabled_at = clock_timestamp(), disabled_reason = $3, version = version + 1
   where tenant_id = $1 and id = $2 and disabled_at is null and removed_at is null
   returning version`,
);

const MARK_REMOVED = statement(
  'webhooks.mark_endpoint_removed',
  `update webhooks.endpoints
   set removed_at = clock_timestamp(), version = version + 1
   where tenant_id = $1 and id = $2`,
);

/** Stores a webhook. */
export async function insertWebhook(
  tx: TenantTx,
  webhook: {
    readonly id: string;
    readonly url: string;
    readonly description: string;
    readonly eventTypes: readonly string[];
    readonly signing: SigningScheme;
  },
): Promise<void> {
  const { id, url, description, eventTypes, signing } = webhook;
  await tx.execute(INSERT, [tx.tenantId, id, url, description, eventTypes, signing]);
}

/** The webhook. Throws NotFound. */
export async function getWebhook(tx: TenantTx, id: string): Promise<WebhookRow> {
  const row = await tx.row(FIND, [tx.tenantId, id]);
  if (!row) throw new NotFound();
  return row;
}

/** The webhook, locked until the transaction ends. Throws NotFound, and VersionMismatch where another version is meant. */
export async function lockWebhook(tx: TenantTx, id: string, version?: string): Promise<LockedWebhook> {
  const row = await tx.row(LOCK, [tx.tenantId, id]);
  if (!row) throw new NotFound();
  if (version !== undefined && row.version.toString() !== version) throw new VersionMismatch();
  return row;
}

/** Changes what people write about a locked webhook. */
export async function updateWebhook(
  tx: TenantTx,
  id: string,
  content: { readonly url: string; readonly description: string; readonly eventTypes: readonly string[] },
): Promise<void> {
  await tx.execute(UPDATE, [tx.tenantId, id, content.url, content.description, content.eventTypes]);
}

/** Switches a locked webhook on. */
export async function enableWebhook(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(ENABLE, [tx.tenantId, id]);
}

/** Switches a webhook off; answers its version, or undefined when it is off or gone already. */
export async function disableWebhook(
  tx: TenantTx,
  id: string,
  reason: DisabledReason,
): Promise<bigint | undefined> {
  return (await tx.row(DISABLE, [tx.tenantId, id, reason]))?.version;
}

/** Hides a locked webhook; a worker deletes what it has. */
export async function markWebhookRemoved(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_REMOVED, [tx.tenantId, id]);
}

const INSERT_SECRET = statement(
  'webhooks.insert_secret',
  `insert into webhooks.secrets (tenant_id, id, endpoint_id, scheme, sealed, key_id, public_key)
   values ($1, $2, $3, $4, $5, $6, $7)`,
);

const DELETE_OLDER_SECRETS = statement(
  'webhooks.delete_older_secrets',
  'delete from webhooks.secrets where tenant_id = $1 and endpoint_id = $2 and ends_at is not null',
);

const END_SECRET = statement<{ ends_at: Date }>(
  'webhooks.end_secret',
  `update webhooks.secrets
   set ends_at = clock_timestamp() + make_interval(secs => $3)
   where tenant_id = $1 and endpoint_id = $2 and ends_at is null
   returning ends_at`,
);

// Of an imported webhook the first secret is the beginning: what happened before was delivered by where it came from.
const BUMP = statement<{ version: bigint }>(
  'webhooks.note_secret_rotated',
  `update webhooks.endpoints
   set signing = $3, version = version + 1, receives_from = case when $4 then clock_timestamp() else receives_from end
   where tenant_id = $1 and id = $2
   returning version`,
);

/** Stores the newest secret of a webhook. */
export async function insertSecret(
  tx: TenantTx,
  secret: {
    readonly id: string;
    readonly endpointId: string;
    readonly scheme: SigningScheme;
    readonly publicKey: string | null;
  },
  { keyId, sealed }: Sealed,
): Promise<void> {
  const { id, endpointId, scheme, publicKey } = secret;
  await tx.execute(INSERT_SECRET, [tx.tenantId, id, endpointId, scheme, sealed, keyId, publicKey]);
}

/** Ends the newest secret of a locked webhook after the overlap, and older ones at once. Answers when; undefined without one. */
export async function endSecrets(
  tx: TenantTx,
  endpointId: string,
  overlapSeconds: number,
): Promise<Date | undefined> {
  await tx.execute(DELETE_OLDER_SECRETS, [tx.tenantId, endpointId]);
  return (await tx.row(END_SECRET, [tx.tenantId, endpointId, overlapSeconds]))?.ends_at;
}

/** Writes a rotation into the webhook's row. `isFirst`: it had none, so only what happens from here on is sent. */
export async function noteSecretRotated(
  tx: TenantTx,
  id: string,
  signing: SigningScheme,
  isFirst: boolean,
): Promise<bigint> {
  const row = await tx.row(BUMP, [tx.tenantId, id, signing, isFirst]);
  if (!row) throw new Error('the update of a locked webhook found nothing');
  return row.version;
}
