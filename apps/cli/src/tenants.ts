import { newId } from '@holdfast/kernel';
import { CreateTenant, createTenantInput, type TenantView } from '@holdfast/tenants';
import { parseInput, readAll } from './input';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  readonly json?: boolean;
}

function text(tenants: readonly TenantView[]): string {
  const rows = tenants.map(({ id, slug, name, createdAt }) => [id, slug, name, createdAt]);
  return columns(['id', 'slug', 'name', 'created'], rows);
}

/** Creates a tenant with an id of its own. */
export async function createTenant(
  slug: string,
  { name = slug, json }: Asked & { readonly name?: string },
): Promise<void> {
  const input = parseInput(createTenantInput, { slug, name });
  const tenant = await asOperator(async ({ commands, callerFor }) =>
    commands.execute(new CreateTenant(await callerFor(newId()), input)),
  );
  printOutcome(
    json,
    tenant,
    (created) => `${text([created])}\n\nNext: npx holdfast key create ${created.slug}`,
  );
}

/** Prints all tenants by slug. */
export async function listTenants({ json }: Asked): Promise<void> {
  const tenants = await asOperator(({ directory }) =>
    readAll((after) => directory.list({ limit: 200, after })),
  );
  printOutcome(json, tenants, text);
}

/** Prints one tenant. */
export async function showTenant(idOrSlug: string, { json }: Asked): Promise<void> {
  const tenant = await asOperator(({ directory }) => directory.get(idOrSlug));
  printOutcome(json, tenant, (found) => text([found]));
}
