import { type Command, Option } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast audit export` */
export function addAuditExport(audit: Command): void {
  addJsonVerb(
    audit,
    'export',
    'Export a tenant’s audit trail, or its sealed log as a bundle that `audit verify --export` takes. A worker has to run.',
    [
      'audit export --tenant acme --format bundle --out acme.ndjson',
      'audit export --tenant acme --format csv --from 2026-11-01T00:00:00Z --out november.csv',
    ],
  )
    .requiredOption('--tenant <tenant>', 'the tenant, by slug or id')
    .addOption(
      new Option('--format <format>', 'what to write').choices(['ndjson', 'csv', 'bundle']).default('ndjson'),
    )
    .requiredOption('--out <file>', 'where to; one that was cut is gone on with')
    .option('--from <instant>', 'only events at or after this instant')
    .option('--to <instant>', 'only events before this instant')
    .option('--type <type>', 'only events of this type')
    .option('--actor <actor>', 'only what this actor did')
    .option('--stream <stream>', 'only events of this stream, as ledger.transfer/<id>')
    .action(lazily(async () => (await import('../audit-exports.js')).exportAudit));
}
