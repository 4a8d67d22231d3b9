import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { Inject } from '@nestjs/common';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { CONFIGURED_WITNESSES } from './configured-witnesses';
import { showWitness, type WitnessPlace, type WitnessRow, type WitnessView } from './witness';

/** Who cosigns the tenant's log, the tenant's own first, and what has come of it. At most some dozens. */
export class Witnesses extends TenantQuery<object, readonly WitnessView[]> {
  readonly scope = 'audit:read';
}

const LIST = statement<WitnessRow>(
  'audit.list_witnesses',
  `select w.id, w.verifier_key, w.url, w.created_by, w.created_at, c.epoch, c.size, c.cosigned_at, o.outcome, o.tried_at,
     o.waiting_since
   from (
     select id, verifier_key, url, created_by, created_at from audit.witnesses where tenant_id = $1
     union all
     select null, k.verifier_key, null, null, null from unnest($2::text[]) k (verifier_key)
   ) w
   left join audit.offers o on o.tenant_id = $1 and o.witness = w.verifier_key
   left join lateral (
     select s.epoch, s.size, s.cosigned_at
     from audit.cosignatures s
     where s.tenant_id = $1 and s.witness = w.verifier_key
     order by s.epoch desc
     limit 1
   ) c on true
   order by w.id, w.verifier_key
   limit 200`,
);

@QueryHandler(Witnesses)
export class WitnessesHandler implements IQueryHandler<Witnesses> {
  private readonly urls: ReadonlyMap<string, string>;

  constructor(
    private readonly tenants: TenantDatabase,
    @Inject(CONFIGURED_WITNESSES) configured: readonly WitnessPlace[],
  ) {
    this.urls = new Map(configured.map(({ verifierKey, url }) => [verifierKey, url]));
  }

  async execute({ caller }: Witnesses): Promise<readonly WitnessView[]> {
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, [...this.urls.keys()]]);
    return rows.map((row) => showWitness(row, this.urls.get(row.verifier_key) ?? ''));
  }
}
