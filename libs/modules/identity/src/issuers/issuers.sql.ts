import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { written } from '../members/members.sql';
import type { IssuerRow, ValueRole } from './issuer';

/** How many issuers bring people into a tenant, for its quota. */
export const COUNT_ISSUERS = statement<{ readonly count: bigint }>(
  'identity.count_issuers',
  'select count(*) as count from identity.issuers where tenant_id = $1',
);

const INSERT = statement<IssuerRow>(
  'identity.insert_issuer',
  `insert into identity.issuers (tenant_id, id, issuer, claim, claim_value, role_claim, roles, default_role)
   values ($1, $2, $3, $4, $5, $6, $7, $8)
   returning id, issuer, claim, claim_value, role_claim, roles, default_role, version, created_at`,
);

const LOCK = statement<IssuerRow>(
  'identity.lock_issuer',
  `select id, issuer, claim, claim_value, role_claim, roles, default_role, version, created_at
   from identity.issuers
   where tenant_id = $1 and id = $2
   for no key update`,
);

// A sign-in is decided by the mappings as they are, and a change of one waits for it.
const SHARE_MAPPINGS = statement<IssuerRow>(
  'identity.share_mappings',
  `select id, issuer, claim, claim_value, role_claim, roles, default_role, version, created_at
   from identity.issuers
   where tenant_id = $1 and issuer = $2
   order by id
   limit 400
   for share`,
);

const UPDATE = statement<IssuerRow>(
  'identity.update_issuer',
  `update identity.issuers
   set claim = $3, claim_value = $4, role_claim = $5, roles = $6, default_role = $7, version = version + 1
   where tenant_id = $1 and id = $2
   returning id, issuer, claim, claim_value, role_claim, roles, default_role, version, created_at`,
);

const DELETE = statement(
  'identity.delete_issuer',
  'delete from identity.issuers where tenant_id = $1 and id = $2',
);

/** What is stored of a mapping besides whose it is. */
export interface IssuerContent {
  readonly claim: string;
  readonly claimValue: string;
  readonly roleClaim: string | null;
  readonly roles: readonly ValueRole[];
  readonly defaultRole: string | null;
}

/** Stores a mapping. */
export function insertIssuer(
  tx: TenantTx,
  { id, issuer, ...content }: IssuerContent & { readonly id: string; readonly issuer: string },
): Promise<IssuerRow> {
  return written(tx, INSERT, [tx.tenantId, id, issuer, ...valuesOf(content)]);
}

/** The mapping, locked until the transaction ends. */
export function lockIssuer(tx: TenantTx, id: string): Promise<IssuerRow | undefined> {
  return tx.row(LOCK, [tx.tenantId, id]);
}

/** The mappings of an issuer, which stay as they are until the transaction ends; the oldest first. */
export function shareMappings(tx: TenantTx, issuer: string): Promise<IssuerRow[]> {
  return tx.rows(SHARE_MAPPINGS, [tx.tenantId, issuer]);
}

/** Changes a locked mapping. */
export function updateIssuer(tx: TenantTx, id: string, content: IssuerContent): Promise<IssuerRow> {
  return written(tx, UPDATE, [tx.tenantId, id, ...valuesOf(content)]);
}

/** Removes a locked mapping. */
export async function deleteIssuer(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(DELETE, [tx.tenantId, id]);
}

function valuesOf({ claim, claimValue, roleClaim, roles, defaultRole }: IssuerContent): readonly unknown[] {
  return [claim, claimValue, roleClaim, JSON.stringify(roles), defaultRole];
}
