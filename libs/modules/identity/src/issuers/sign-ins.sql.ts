import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { MemberRow, MemberSource } from '../members/member';
import type { ValueRole } from './issuer';

/** What a tenant knows of somebody who signs in: the member, if there is one, and one of the issuer's mappings, if there is one. */
export interface SignInRow {
  readonly source: MemberSource | null;
  readonly role: string | null;
  readonly claim: string | null;
  readonly claim_value: string;
  readonly role_claim: string | null;
  readonly roles: readonly ValueRole[];
  readonly default_role: string | null;
}

/** Everything that is known of a sign-in: at least one row. */
export const LIST_SIGN_IN = statement<SignInRow>(
  'identity.list_sign_in',
  `select m.source, coalesce(m.built_in_role, m.role_id::text) as role, i.claim, i.claim_value, i.role_claim, i.roles,
     i.default_role
   from (select 1) once
   left join identity.members m on m.tenant_id = $1 and m.issuer = $2 and m.subject = $3 and m.removed_at is null
   left join identity.issuers i on i.tenant_id = $1 and i.issuer = $2
   order by i.id
   limit 400`,
);

const LOCK_MEMBER_OF = statement<MemberRow>(
  'identity.lock_member_of',
  `select id, issuer, subject, email, display_name, built_in_role, role_id, source, version, stream_version,
     created_at, removed_at, signed_in_at
   from identity.members
   where tenant_id = $1 and issuer = $2 and subject = $3 and removed_at is null
   for no key update`,
);

// At most one in five minutes, whatever a client does with its tokens, and none twice for the last token.
const MARK_SIGNED_IN = statement<{ readonly stream_version: bigint }>(
  'identity.mark_signed_in',
  `update identity.members
   set signed_in_at = clock_timestamp(), signed_in_token = $3, stream_version = stream_version + 1
   where tenant_id = $1 and id = $2 and removed_at is null and signed_in_token is distinct from $3
     and (signed_in_at is null or signed_in_at < clock_timestamp() - interval '5 minutes')
   returning stream_version`,
);

/** The member whom an issuer calls so, locked until the transaction ends. */
export function lockMemberOf(
  tx: TenantTx,
  { issuer, subject }: { readonly issuer: string; readonly subject: string },
): Promise<MemberRow | undefined> {
  return tx.row(LOCK_MEMBER_OF, [tx.tenantId, issuer, subject]);
}

/** Records a sign-in; answers the version of the member's stream, or undefined when it is none worth recording. */
export async function markSignedIn(
  tx: TenantTx,
  memberId: string,
  tokenHash: Buffer,
): Promise<bigint | undefined> {
  return (await tx.row(MARK_SIGNED_IN, [tx.tenantId, memberId, tokenHash]))?.stream_version;
}
