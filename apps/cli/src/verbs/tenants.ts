import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast tenant …` */
export function addTenants(program: Command): void {
  const tenant = program.command('tenant').description('Create and look at tenants.');
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
}
