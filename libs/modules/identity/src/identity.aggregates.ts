import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow, factsOnly } from '@holdfast/tenancy';
import { apiKeyCreated, apiKeyRevoked, apiKeyRotated } from './identity.events';
import { supportAccessEnded, supportAccessStarted } from './identity.events';
import { invitationAccepted, invitationCreated, invitationRevoked } from './invitations/invitations.events';
import { issuerAdded, issuerChanged, issuerRemoved } from './issuers/issuers.events';
import { memberAdded, memberChanged, memberRemoved, memberSignedIn } from './members/members.events';
import { roleChanged, roleCreated, roleRemoved } from './members/members.events';

interface ApiKey {
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
  readonly previousEndsAt: string | null;
  readonly isRevoked: boolean;
}

aggregate<ApiKey>('identity.api_key', {
  rows: statement<AggregateRow<ApiKey>>(
    'identity.list_folded_api_keys',
    `select id, version as "streamVersion", prefix, scopes, expires_at as "expiresAt",
       previous_ends_at as "previousEndsAt", revoked_at is not null as "isRevoked"
     from identity.api_keys
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(apiKeyCreated, ({ prefix, scopes, expiresAt }) => ({
      prefix,
      scopes,
      expiresAt,
      previousEndsAt: null,
      isRevoked: false,
    })),
    on(apiKeyRotated, ({ prefix, previousEndsAt }) => ({ prefix, previousEndsAt })),
    on(apiKeyRevoked, () => ({ isRevoked: true })),
  ],
});

interface SupportAccess {
  readonly memberId: string | null;
  readonly scopes: readonly string[];
  readonly expiresAt: string;
  readonly isEnded: boolean;
}

aggregate<SupportAccess>('identity.support_access', {
  rows: statement<AggregateRow<SupportAccess>>(
    'identity.list_folded_support_accesses',
    `select id, case when ended_at is null then 1 else 2 end::bigint as "streamVersion", member_id as "memberId", scopes,
       expires_at as "expiresAt", ended_at is not null as "isEnded"
     from identity.support_accesses
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(supportAccessStarted, (started) => ({ ...started, isEnded: false })),
    on(supportAccessEnded, () => ({ isEnded: true })),
  ],
});

interface Invitation {
  readonly expiresAt: string;
  /** Null once it is revoked or accepted. */
  readonly role: string | null;
  readonly memberId: string | null;
  readonly status: 'open' | 'revoked' | 'accepted';
}

// An invitation that has expired is taken back without an event when the role that it was for goes: until then it is open.
aggregate<Invitation>('identity.invitation', {
  rows: statement<AggregateRow<Invitation>>(
    'identity.list_folded_invitations',
    `select id, case when accepted_at is null and (revoked_at is null or revoked_at = expires_at) then 1 else 2 end::bigint
         as "streamVersion",
       expires_at as "expiresAt", member_id as "memberId",
       coalesce(built_in_role, role_id::text) as role,
       case when accepted_at is not null then 'accepted' when revoked_at <> expires_at then 'revoked' else 'open' end as status
     from identity.invitations
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(invitationCreated, ({ role, expiresAt }) => ({ role, expiresAt, memberId: null, status: 'open' })),
    on(invitationRevoked, () => ({ role: null, status: 'revoked' })),
    on(invitationAccepted, ({ memberId }) => ({ role: null, memberId, status: 'accepted' })),
  ],
});

/** Which claims bring whom stands in the row alone. */
type Issuer = Readonly<Record<string, never>>;

aggregate<Issuer>('identity.issuer', {
  rows: statement<AggregateRow<Issuer>>(
    'identity.list_folded_issuers',
    `select id, version as "streamVersion"
     from identity.issuers
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [on(issuerAdded, () => ({})), on(issuerChanged, () => ({})), on(issuerRemoved, () => null)],
});

interface Member {
  /** Null once the membership has ended. */
  readonly role: string | null;
  readonly isRemoved: boolean;
}

aggregate<Member>('identity.member', {
  rows: statement<AggregateRow<Member>>(
    'identity.list_folded_members',
    `select id, stream_version as "streamVersion", coalesce(built_in_role, role_id::text) as role,
       removed_at is not null as "isRemoved"
     from identity.members
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(memberAdded, ({ role }) => ({ role, isRemoved: false })),
    on(memberChanged, ({ role }) => ({ role })),
    on(memberRemoved, () => ({ role: null, isRemoved: true })),
    on(memberSignedIn, () => ({})),
  ],
});

interface Role {
  readonly permissions: readonly string[];
}

aggregate<Role>('identity.role', {
  rows: statement<AggregateRow<Role>>(
    'identity.list_folded_roles',
    `select id, version as "streamVersion", permissions
     from identity.roles
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(roleCreated, (created) => created),
    on(roleChanged, (changed) => changed),
    on(roleRemoved, () => null),
  ],
});

factsOnly(
  'identity.credential',
  'a use that stood out; where credentials are used is counted, and no state of theirs',
);
factsOnly('identity.access', 'a refusal changes nothing');
