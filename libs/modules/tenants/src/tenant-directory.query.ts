import { type Caller, idSchema, NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput } from '@holdfast/cqrs';
import { Database, statement, SystemTx } from '@holdfast/database';
import { z } from 'zod';
import { type ListedTenantRow, type ListedTenantView, showListedTenant } from './tenant-view';

/** What GET /v1/operator/tenants takes. */
export const tenantDirectoryInput = z.strictObject({ ...pageInput });

const LIST = statement<ListedTenantRow>(
  'tenants.list_tenants',
  `select t.tenant_id, t.slug, t.name, coalesce(a.state, 'active') as state, coalesce(a.plan, 'standard') as plan, t.version,
     t.state_reason, t.created_at, t.erase_requested_at, t.erase_after, t.erase_postponed
   from tenants.tenants t
   left join auth.tenants a on a.id = t.tenant_id
   where $1::text is null or t.slug > $1
   order by t.slug
   limit $2`,
);

// Behind the tenants stand the tombstones, which have a state and nothing else.
const FIND = statement<ListedTenantRow>(
  'tenants.find_tenant',
  `(select t.tenant_id, t.slug, t.name, coalesce(a.state, 'active') as state, coalesce(a.plan, 'standard') as plan, t.version,
      t.state_reason, t.created_at, t.erase_requested_at, t.erase_after, t.erase_postponed
    from tenants.tenants t
    left join auth.tenants a on a.id = t.tenant_id
    where t.tenant_id = $1 or t.slug = $2)
   union all
   select a.id, null, null, a.state, a.plan, null, null, null, null, null, null
   from auth.tenants a
   where a.id = $1 and a.state in ('erasing', 'erased')
   limit 1`,
);

const cursors = new Cursors('tenants.directory', z.tuple([z.string()]));

/** The directory belongs to no tenant; its cursors are bound to that. */
const NOBODY = { tenantId: '' } as Caller;

/**
 * The list of all tenants, for the operator. It runs in the role `holdfast_ops`, which reads directory and states across
 * tenants and nothing else of them.
 */
export class TenantDirectory {
  constructor(private readonly ops: Database) {}

  /** Tenants by slug. */
  async list({ limit, after }: z.output<typeof tenantDirectoryInput>): Promise<Page<ListedTenantView>> {
    const [behind] = cursors.decode(NOBODY, after) ?? [null];
    const rows = await this.rows(LIST, [behind, limit + 1]);
    return page(rows, limit, showListedTenant, ({ slug }) => cursors.encode(NOBODY, [slug ?? '']));
  }

  /** The tenant with this id or slug; throws NotFound. */
  async get(idOrSlug: string): Promise<ListedTenantView> {
    const id = idSchema.safeParse(idOrSlug);
    const [row] = await this.rows(FIND, id.success ? [id.data, null] : [null, idOrSlug]);
    if (!row) throw new NotFound();
    return showListedTenant(row);
  }

  private rows(query: typeof LIST, values: readonly unknown[]): Promise<ListedTenantRow[]> {
    return this.ops.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.last(query, values),
    );
  }
}
