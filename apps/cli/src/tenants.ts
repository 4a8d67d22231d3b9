import { newId } from '@holdfast/kernel';
import {
  CreateTenant,
  createTenantInput,
  type ListedTenantView,
  OrderErasure,
  orderErasureInput,
  ResumeTenant,
  SuspendTenant,
  suspendTenantInput,
} from '@holdfast/tenants';
import { parseInput, readAll } from './input';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  readonly json?: boolean;
}

function text(tenants: readonly ListedTenantView[]): string {
  const rows = tenants.map(({ id, slug, name, state, plan, createdAt }) =>
    [id, slug, name, state, plan, createdAt].map((cell) => cell ?? '-'),
  );
  return columns(['id', 'slug', 'name', 'state', 'plan', 'created'], rows);
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
  printOutcome(json, tenant, (found) => {
    const why = found.reason === null ? '' : `\n\n${found.state} because: ${found.reason}`;
    return `${text([found])}${why}${describeErasure(found)}`;
  });
}

function describeErasure({ erasure }: ListedTenantView): string {
  if (erasure === null) return '';
  const postponed = erasure.postponed === null ? '' : `\nIt waits: ${erasure.postponed}.`;
  return `\n\nIts erasure was ordered at ${erasure.requestedAt} and is due at ${erasure.dueAt}.${postponed}`;
}

/** Closes a tenant to its own credentials. */
export async function suspendTenant(
  idOrSlug: string,
  { reason, json }: Asked & { readonly reason: string },
): Promise<void> {
  const input = parseInput(suspendTenantInput, { reason });
  const tenant = await asOperator(async ({ commands, directory, callerFor }) => {
    const { id } = await directory.get(idOrSlug);
    return commands.execute(new SuspendTenant(await callerFor(id), input));
  });
  printOutcome(
    json,
    tenant,
    ({ slug }) => `Suspended ${slug}: its credentials are refused within five seconds.`,
  );
}

/** Opens a tenant again. */
export async function resumeTenant(idOrSlug: string, { json }: Asked): Promise<void> {
  const tenant = await asOperator(async ({ commands, directory, callerFor }) => {
    const { id } = await directory.get(idOrSlug);
    return commands.execute(new ResumeTenant(await callerFor(id), {}));
  });
  printOutcome(json, tenant, ({ slug }) => `Resumed ${slug}.`);
}

/** Closes a tenant and has it erased when the days of grace are over. */
export async function eraseTenant(
  idOrSlug: string,
  { confirm, graceDays, json }: Asked & { readonly confirm: string; readonly graceDays: string },
): Promise<void> {
  const input = parseInput(orderErasureInput, { confirmSlug: confirm, graceDays: Number(graceDays) });
  const tenant = await asOperator(async ({ commands, directory, callerFor }) => {
    const { id } = await directory.get(idOrSlug);
    return commands.execute(new OrderErasure(await callerFor(id), input));
  });
  printOutcome(
    json,
    tenant,
    ({ id, slug, erasure }) =>
      `Closed ${slug}. It is erased at ${erasure?.dueAt}; until then \`tenant resume ${slug}\` takes it back.\nIts id is ${id}: the receipt is found by it.`,
  );
}
