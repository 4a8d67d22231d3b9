import { type Caller, idSchema, NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput } from '@holdfast/cqrs';
import { Database, statement, SystemTx } from '@holdfast/database';
import { z } from 'zod';
import { showTenant, type TenantRow, type TenantView } from './tenant-view';

/** What GET /v1/operator/tenants takes. */
export const tenantDirectoryInput = z.strictObject({ ...pageInput });

const LIST = statement<TenantRow>(
  'tenants.list_tenants',
  `select tenant_id, slug, name, created_at
   from tenants.tenants
   where $1::text is null or slug > $1
   order by slug
   limit $2`,
);

const FIND = statement<TenantRow>(
  'tenants.find_tenant',
  'select tenant_id, slug, name, created_at from tenants.tenants where tenant_id = $1 or slug = $2 limit 1',
);

const cursors = new Cursors('tenants.directory', z.tuple([z.string()]));

/** The directory belongs to no tenant; its cursors are bound to that. */
const NOBODY = { tenantId: '' } as Caller;

/**
 * The list of all tenants, for the operator. It runs in the role `holdfast_ops`, which reads this one table across tenants
 * and nothing else of them.
 */
export class TenantDirectory {
  constructor(private readonly ops: Database) {}

  /** Tenants by slug. */
  async list({ limit, after }: z.output<typeof tenantDirectoryInput>): Promise<Page<TenantView>> {
    const [behind] = cursors.decode(NOBODY, after) ?? [null];
    const rows = await this.rows(LIST, [behind, limit + 1]);
    return page(rows, limit, showTenant, (row) => cursors.encode(NOBODY, [row.slug]));
  }

  /** The tenant with this id or slug; throws NotFound. */
  async get(idOrSlug: string): Promise<TenantView> {
    const id = idSchema.safeParse(idOrSlug);
    const [row] = await this.rows(FIND, [id.success ? id.data : null, idOrSlug]);
    if (!row) throw new NotFound();
    return showTenant(row);
  }

  private rows(query: typeof LIST, values: readonly unknown[]): Promise<TenantRow[]> {
    return this.ops.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.last(query, values),
    );
  }
}
