import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

const REASON = 'why; it is kept with your name';

/** `holdfast events status`, `groups`, `pause`, `resume`, `replay` and `quarantine …` */
export function addGroups(events: Command): void {
  addJsonVerb(events, 'status', 'Show how far each consumer group lags, and what it has set aside.', [
    'events status',
    'events status --json',
  ]).action(lazily(async () => (await import('../events-groups.js')).showStatus));
  addJsonVerb(
    events,
    'groups [group]',
    'Show a consumer group and what was done to it; all by name without one.',
    ['events groups usage'],
  ).action(lazily(async () => (await import('../events-groups.js')).showGroups));
  addJsonVerb(events, 'pause <group>', 'Stop the deliveries of a group, in all processes.', [
    'events pause clickhouse --reason "the cluster is being moved"',
  ])
    .requiredOption('--reason <text>', REASON)
    .action(lazily(async () => (await import('../events-groups.js')).pauseGroup));
  addJsonVerb(events, 'resume <group>', 'Let a paused group go on where it stood.', [
    'events resume clickhouse --reason "the cluster has moved"',
  ])
    .requiredOption('--reason <text>', REASON)
    .action(lazily(async () => (await import('../events-groups.js')).resumeGroup));
  addReplay(events);
  addQuarantine(events);
}

function addReplay(events: Command): void {
  addJsonVerb(
    events,
    'replay <group>',
    'Deliver to a group again what it has had, for all tenants or for one.',
    [
      'events replay clickhouse --at 2026-11-26T09:00:00Z --reason "a disk of the store was lost"',
      'events replay usage --beginning --tenant acme --reason "counts were edited by hand"',
    ],
  )
    .option('--beginning', 'from the first event of the log')
    .option(
      '--at <instant>',
      'what was committed after it, and a little before, since old positions are thinned',
    )
    .option('--tick <number>', 'what was committed after this position')
    .option('--tenant <id-or-slug>', 'for this tenant only')
    .requiredOption('--reason <text>', REASON)
    .action(lazily(async () => (await import('../events-groups.js')).replayGroup));
}

function addQuarantine(events: Command): void {
  const quarantine = events
    .command('quarantine')
    .description('Look at what groups could not deliver, and let it go on.');
  addJsonVerb(quarantine, 'list', 'List the keys that groups have set aside.', [
    'events quarantine list',
    'events quarantine list --group usage --tenant acme --state retrying',
  ])
    .option('--group <group>', 'of this group only')
    .option('--tenant <id-or-slug>', 'of this tenant only')
    .option('--state <state>', 'quarantined, retrying, releasing or all', 'quarantined')
    .action(lazily(async () => (await import('../events-quarantine.js')).listParked));
  addJsonVerb(quarantine, 'release <group> [key]', 'Let a quarantined key go on, in order.', [
    'events quarantine release usage ledger.account/0199… --tenant acme --reason "mended in 1.4.2"',
    'events quarantine release usage ledger.account/0199… --tenant acme --skip-first --reason "made by a test"',
    'events quarantine release usage --all --reason "mended in 1.4.2"',
  ])
    .option('--tenant <id-or-slug>', 'whose key it is')
    .option('--all', 'every quarantined key of the group; of the tenant where one is named')
    .option('--skip-first', 'drop the one event that failed, and go on behind it')
    .requiredOption('--reason <text>', REASON)
    .action(lazily(async () => (await import('../events-quarantine.js')).releaseParked));
}
