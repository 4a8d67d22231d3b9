import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast tenant …` */
export function addTenants(program: Command): void {
  const tenant = program
    .command('tenant')
    .description('Create, look at, suspend, export, import and erase tenants.');
  addJsonVerb(tenant, 'create <slug>', 'Create a tenant; `key create` then makes its first key.', [
    'tenant create acme --name "Acme Ltd"',
  ])
    .option('--name <name>', 'what people call it; the slug when left out')
    .action(lazily(async () => (await import('../tenants.js')).createTenant));
  addJsonVerb(tenant, 'list', 'List all tenants by slug.', ['tenant list', 'tenant list --json']).action(
    lazily(async () => (await import('../tenants.js')).listTenants),
  );
  addJsonVerb(tenant, 'show <id-or-slug>', 'Show one tenant.', ['tenant show acme']).action(
    lazily(async () => (await import('../tenants.js')).showTenant),
  );
  addJsonVerb(tenant, 'suspend <id-or-slug>', 'Close a tenant to its own credentials; consumers go on.', [
    'tenant suspend acme --reason "Invoices are unpaid since August."',
  ])
    .requiredOption('--reason <text>', 'why; the operator sees it in `tenant show`')
    .action(lazily(async () => (await import('../tenants.js')).suspendTenant));
  addJsonVerb(
    tenant,
    'resume <id-or-slug>',
    'Open a tenant again; takes back an erasure that has not begun.',
    ['tenant resume acme'],
  ).action(lazily(async () => (await import('../tenants.js')).resumeTenant));
  addJsonVerb(tenant, 'support <tenant>', 'Act for a tenant, for a reason that it can read.', [
    'tenant support acme --reason "Ticket 4711: a transfer is missing"',
    'tenant support acme --reason "Ticket 4711: a transfer is missing" --minutes 5 --scopes ledger:read',
  ])
    .requiredOption('--reason <text>', 'why, in 10 to 500 characters')
    .option('--minutes <number>', 'how long, at most 30', '30')
    .option('--scopes <list>', 'what it may do, separated by commas; to read everything when left out')
    .option('--member <id>', 'the member to act for')
    .action(lazily(async () => (await import('../support.js')).startSupport));
  addJsonVerb(
    tenant,
    'export <id-or-slug>',
    'Write everything that a tenant has into a directory. A worker has to run.',
    ['tenant export acme --out acme-export'],
  )
    .requiredOption('--out <directory>', 'a directory, which is made')
    .action(lazily(async () => (await import('../tenant-exports.js')).exportTenant));
  addJsonVerb(tenant, 'erase <id-or-slug>', 'Close a tenant and erase it when the days of grace are over.', [
    'tenant erase acme --confirm acme',
    'tenant erase acme --confirm acme --grace-days 0',
  ])
    .requiredOption('--confirm <slug>', 'the slug of the tenant, once more')
    .option('--grace-days <days>', 'how long `tenant resume` takes it back, 0 to 90', '30')
    .action(lazily(async () => (await import('../tenants.js')).eraseTenant));
  addJsonVerb(
    tenant,
    'import <directory>',
    'Read an export into a tenant that was just created and has no key.',
    ['tenant import acme-export --into acme-again'],
  )
    .requiredOption('--into <id-or-slug>', 'the empty tenant')
    .action(lazily(async () => (await import('../tenant-imports.js')).importTenant));
}
