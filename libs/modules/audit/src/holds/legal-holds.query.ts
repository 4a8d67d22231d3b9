import { NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type LegalHoldRow, type LegalHoldView, showLegalHold } from './legal-hold';

/** What GET /v1/audit/legal-holds takes. */
export const legalHoldsInput = z.strictObject({ ...pageInput });

/** The tenant's legal holds, newest first, those that were lifted included. */
export class LegalHolds extends TenantQuery<z.output<typeof legalHoldsInput>, Page<LegalHoldView>> {
  readonly scope = 'personal:read';
}

const LIST = statement<LegalHoldRow>(
  'audit.list_legal_holds',
  `select id, subject, reason, placed_by, placed_at, lifted_by, lifted_at
   from audit.legal_holds
   where tenant_id = $1 and ($2::uuid is null or id < $2)
   order by id desc
   limit $3`,
);

const cursors = new Cursors('audit.legal_holds', z.tuple([z.guid()]));

@QueryHandler(LegalHolds)
export class LegalHoldsHandler implements IQueryHandler<LegalHolds> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: LegalHolds): Promise<Page<LegalHoldView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, limit + 1]);
    return page(rows, limit, showLegalHold, (row) => cursors.encode(caller, [row.id]));
  }
}

/** One legal hold. Throws NotFound. */
export class LegalHoldById extends TenantQuery<{ readonly id: string }, LegalHoldView> {
  readonly scope = 'personal:read';
}

const FIND = statement<LegalHoldRow>(
  'audit.find_legal_hold_by_id',
  `select id, subject, reason, placed_by, placed_at, lifted_by, lifted_at
   from audit.legal_holds
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(LegalHoldById)
export class LegalHoldByIdHandler implements IQueryHandler<LegalHoldById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: LegalHoldById): Promise<LegalHoldView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, input.id]);
    if (!row) throw new NotFound();
    return showLegalHold(row);
  }
}
