import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast events epoch …` */
export function addEpoch(events: Command): void {
  const epoch = events
    .command('epoch')
    .description('Say that a database which was restored or promoted is to be gone on with.');
  addJsonVerb(
    epoch,
    'bump',
    'Let ticks and deliveries go on after a restore or a failover, from where cursors stand.',
    ['events epoch bump --reason "restored to 17:00 after the disk failed"'],
  )
    .requiredOption('--reason <text>', 'what has happened; it is kept in events.lineage with your name')
    .action(lazily(async () => (await import('../events-epoch.js')).bumpEpochVerb));
}
