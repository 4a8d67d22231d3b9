import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast events tail` */
export function addTail(events: Command): void {
  addJsonVerb(events, 'tail <tenant>', 'Print a tenant’s events as they come, until interrupted.', [
    'events tail acme',
    "events tail acme --from beginning --types 'ledger.*,tenants.tenant.changed' --json",
  ])
    .option('--from <where>', 'where to begin without a cursor: now or beginning', 'now')
    .option('--after <cursor>', 'go on behind this cursor, of a stream or of an earlier tail')
    .option('--types <list>', 'only these types, separated by commas; ledger.* for all that begin so')
    .option('--stream <stream>', 'only events of one stream: ledger.transfer/<id>')
    .action(lazily(async () => (await import('../events-tail.js')).tailEvents));
}
