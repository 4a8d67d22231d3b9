import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type BooksRow, type PeriodView, showPeriod } from './period';

/** Which days take bookings. */
export class Period extends TenantQuery<Readonly<Record<string, never>>, PeriodView> {
  readonly scope = 'ledger:read';
}

// A tenant that has dated nothing back and closed nothing has no row.
const FIND = statement<BooksRow>(
  'ledger.find_books',
  `select b.closed_through::text as closed_through, coalesce(b.revision, 1) as revision,
     (((ledger.clock() - interval '1 hour') at time zone 'utc')::date - 1)::text as closable_through
   from (select $1::uuid as tenant_id) t
   left join ledger.books b on b.tenant_id = t.tenant_id and b.tenant_id = $1`,
);

@QueryHandler(Period)
export class PeriodHandler implements IQueryHandler<Period> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller }: Period): Promise<PeriodView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId]);
    if (!row) throw new Error('a statement that always has a row had none');
    return showPeriod(row);
  }
}
