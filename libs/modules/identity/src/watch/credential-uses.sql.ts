import { createHash } from 'node:crypto';
import { statement } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { credentialUsedFromNewAddress } from '../identity.events';

/** A credential at an address, and between which instants it was used there. */
export interface CredentialUse {
  /** The actor that the credential makes, as `api_key:<id>`. */
  readonly credential: string;
  readonly address: string;
  readonly firstMs: number;
  lastMs: number;
}

// Whoever writes about a credential holds its row until the commit: so of two processes that see it at its first two
// addresses, one is second, and announces.
const UPSERT_CREDENTIALS = statement<{ credential: string; is_first: boolean }>(
  'identity.upsert_credential_uses',
  `insert into identity.credential_uses as known (tenant_id, credential, last_used_at, last_address)
   select $1, used.credential, used.at, used.address
   from unnest($2::text[], $3::timestamptz[], $4::text[]) used (credential, at, address)
   order by used.credential
   on conflict (tenant_id, credential) do update
   set last_used_at = greatest(known.last_used_at, excluded.last_used_at),
     last_address = case when excluded.last_used_at >= known.last_used_at then excluded.last_address else known.last_address end
   returning credential, xmax = 0 as is_first`,
);

interface AddressRow {
  readonly credential: string;
  readonly address: string;
  readonly salt: string;
  readonly is_new: boolean;
}

const UPSERT_ADDRESSES = statement<AddressRow>(
  'identity.upsert_credential_addresses',
  `insert into identity.credential_addresses as known (tenant_id, credential, address, first_used_at, last_used_at)
   select $1, used.credential, used.address, used.first, used.last
   from unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[]) used (credential, address, first, last)
   order by used.first
   on conflict (tenant_id, credential, address) do update
   set last_used_at = greatest(known.last_used_at, excluded.last_used_at)
   returning credential, address, salt, xmax = 0 as is_new`,
);

const ADVANCE = statement<{ credential: string; version: bigint }>(
  'identity.advance_credential_streams',
  `update identity.credential_uses
   set version = version + 1
   where tenant_id = $1 and credential = any($2)
   returning credential, version`,
);

// 50 addresses are more than a service has and fewer than a botnet; beyond, the one that was not seen for longest goes.
const KEEP_LATEST = statement(
  'identity.keep_latest_credential_addresses',
  `delete from identity.credential_addresses a
   using (
     select credential, address, row_number() over (partition by credential order by last_used_at desc) as place
     from identity.credential_addresses
     where tenant_id = $1 and credential = any($2)
   ) ranked
   where a.tenant_id = $1 and a.credential = ranked.credential and a.address = ranked.address and ranked.place > 50`,
);

// Of all the tenant's credentials, also of those that nobody uses any more. An address is a personal value.
const FORGET_ADDRESSES = statement(
  'identity.forget_credential_addresses',
  `delete from identity.credential_addresses
   where tenant_id = $1 and last_used_at < clock_timestamp() - interval '90 days'`,
);

const FORGET_LAST = statement(
  'identity.forget_last_addresses',
  `update identity.credential_uses
   set last_address = null
   where tenant_id = $1 and last_address is not null and last_used_at < clock_timestamp() - interval '90 days'`,
);

/** Writes uses of one tenant's credentials, and announces the addresses from which a known one was not used before. */
export async function writeCredentialUses(tx: TenantTx, uses: readonly CredentialUse[]): Promise<void> {
  const latest = new Map<string, CredentialUse>();
  for (const use of uses) {
    if (use.lastMs >= (latest.get(use.credential)?.lastMs ?? 0)) latest.set(use.credential, use);
  }
  const newest = [...latest.values()];
  const credentials = await tx.rows(UPSERT_CREDENTIALS, [
    tx.tenantId,
    newest.map(({ credential }) => credential),
    newest.map(({ lastMs }) => new Date(lastMs)),
    newest.map(({ address }) => address),
  ]);
  const addresses = await tx.rows(UPSERT_ADDRESSES, [
    tx.tenantId,
    uses.map(({ credential }) => credential),
    uses.map(({ address }) => address),
    uses.map(({ firstMs }) => new Date(firstMs)),
    uses.map(({ lastMs }) => new Date(lastMs)),
  ]);
  const unused = new Set(credentials.filter((row) => row.is_first).map(({ credential }) => credential));
  const fresh = addresses.filter((row) => row.is_new && !unused.delete(row.credential));
  if (fresh.length > 0) await announceAddresses(tx, fresh);
  await Promise.all([FORGET_ADDRESSES, FORGET_LAST].map((old) => tx.execute(old, [tx.tenantId])));
}

async function announceAddresses(tx: TenantTx, fresh: readonly AddressRow[]): Promise<void> {
  const credentials = [...new Set(fresh.map(({ credential }) => credential))];
  const streams = await tx.rows(ADVANCE, [tx.tenantId, credentials]);
  await tx.announce(
    ...streams.map(({ credential, version }) =>
      announcement(
        credentialUsedFromNewAddress,
        { id: idOf(credential), version },
        { credential, commitments: fresh.filter((row) => row.credential === credential).map(commitmentTo) },
      ),
    ),
  );
  await tx.execute(KEEP_LATEST, [tx.tenantId, credentials]);
}

/** The id behind an actor such as `api_key:<id>`. */
function idOf(credential: string): string {
  return credential.slice(credential.indexOf(':') + 1);
}

/** Says which row is meant to whoever may read it, and nothing to anybody else, for ever: the salt goes with the row. */
function commitmentTo({ salt, address }: AddressRow): string {
  return createHash('sha256').update(`${salt} ${address}`).digest('hex');
}
