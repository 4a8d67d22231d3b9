import { statement } from '@holdfast/database';
import { subjectStore } from '@holdfast/tenancy';

const COUNT = statement<{ readonly count: bigint }>(
  'identity.count_rows_of_subjects',
  `select (
       select count(*) from identity.members m
       where m.tenant_id = $1 and m.id = any($2::uuid[]) and m.subject <> 'erased:' || m.id)
     + (
       select count(*) from identity.invitations i
       where i.tenant_id = $1 and i.id = any($2::uuid[]) and i.email is not null)
     + (
       select count(*) from identity.credential_addresses a
       where a.tenant_id = $1 and a.credential in (select 'member:' || s.id from unnest($2::uuid[]) s (id)))
     as count`,
);

// The invitation that somebody came by, and whatever else was sent to their address, as far as we know that it is theirs.
const LIST_RELATED = statement<{ readonly id: string }>(
  'identity.list_ids_of_subject',
  `with person as (
     select m.id, m.email from identity.members m where m.tenant_id = $1 and m.id = $2
     union
     select i.id, i.email from identity.invitations i where i.tenant_id = $1 and i.id = $2
     union
     select m.id, m.email
     from identity.invitations i
     join identity.members m on m.tenant_id = $1 and m.id = i.member_id
     where i.tenant_id = $1 and i.id = $2)
   select id from person
   union
   select i.id
   from identity.invitations i
   where i.tenant_id = $1
     and (i.member_id in (select p.id from person p) or lower(i.email) in (select lower(p.email) from person p))
   limit 1000`,
);

const FIND_USE = statement<{ readonly is_in_use: boolean }>(
  'identity.find_use_of_subjects',
  `select exists (select from identity.members m where m.tenant_id = $1 and m.id = any($2::uuid[]) and m.removed_at is null)
     or exists (
       select from identity.invitations i
       where i.tenant_id = $1 and i.id = any($2::uuid[]) and i.accepted_at is null and i.revoked_at is null
         and i.expires_at > clock_timestamp())
     as is_in_use`,
);

// Who was removed is locked by nobody any more but by another order to erase them.
const ERASE_MEMBERS = statement(
  'identity.erase_members',
  `update identity.members
   set subject = 'erased:' || id, email = null, display_name = null, signed_in_token = null, version = version + 1
   where tenant_id = $1 and id = any($2::uuid[]) and removed_at is not null`,
);

const ERASE_INVITATIONS = statement(
  'identity.erase_invitations',
  `update identity.invitations
   set email = null
   where tenant_id = $1 and id = any($2::uuid[]) and email is not null`,
);

const ERASE_ADDRESSES = statement(
  'identity.erase_addresses_of_members',
  `delete from identity.credential_addresses
   where tenant_id = $1 and credential in (select 'member:' || s.id from unnest($2::uuid[]) s (id))`,
);

const ERASE_LAST_ADDRESSES = statement(
  'identity.erase_last_addresses_of_members',
  `update identity.credential_uses
   set last_address = null
   where tenant_id = $1 and credential in (select 'member:' || s.id from unnest($2::uuid[]) s (id))`,
);

// An erased member keeps a row without anything but its id: events name it for ever. Who is still a member, or invited, is
// not erased: without their subject they could not sign in, and without its address an invitation is for anybody.
subjectStore({
  name: 'identity.members',
  countRows: async (tx, subjects) => Number((await tx.row(COUNT, [tx.tenantId, subjects]))?.count ?? 0n),
  listRelated: async (tx, subject) =>
    (await tx.rows(LIST_RELATED, [tx.tenantId, subject])).map(({ id }) => id),
  isInUse: async (tx, subjects) => (await tx.row(FIND_USE, [tx.tenantId, subjects]))?.is_in_use ?? false,
  eraseRows: async (tx, subjects) => {
    const values = [tx.tenantId, subjects];
    await Promise.all([
      tx.execute(ERASE_MEMBERS, values),
      tx.execute(ERASE_INVITATIONS, values),
      tx.execute(ERASE_ADDRESSES, values),
      tx.execute(ERASE_LAST_ADDRESSES, values),
    ]);
  },
});
