import { NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type MemberRow, type MemberView, showMember } from './member';

/** What GET /v1/members takes. */
export const membersInput = z.strictObject({ ...pageInput });

/** The tenant's members, newest first, without those who were removed. */
export class Members extends TenantQuery<z.output<typeof membersInput>, Page<MemberView>> {
  readonly scope = 'members:read';
}

const LIST = statement<MemberRow>(
  'identity.list_members',
  `select id, issuer, subject, email, display_name, built_in_role, role_id, source, version, stream_version,
     created_at, removed_at, signed_in_at
   from identity.members
   where tenant_id = $1 and removed_at is null and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const cursors = new Cursors('identity.members', z.tuple([z.guid()]));

@QueryHandler(Members)
export class MembersHandler implements IQueryHandler<Members> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: Members): Promise<Page<MemberView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showMember, (row) => cursors.encode(caller, [row.id]));
  }
}

/** One member, also one who was removed. */
export class MemberById extends TenantQuery<{ readonly id: string }, MemberView> {
  readonly scope = 'members:read';
}

const GET = statement<MemberRow>(
  'identity.get_member',
  `select id, issuer, subject, email, display_name, built_in_role, role_id, source, version, stream_version,
     created_at, removed_at, signed_in_at
   from identity.members
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(MemberById)
export class MemberByIdHandler implements IQueryHandler<MemberById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: MemberById): Promise<MemberView> {
    const [row] = await this.tenants.rows(caller, GET, [caller.tenantId, id]);
    if (!row) throw new NotFound();
    return showMember(row);
  }
}
