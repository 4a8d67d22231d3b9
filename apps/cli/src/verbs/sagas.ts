import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast saga …` */
export function addSagas(program: Command): void {
  const saga = program
    .command('saga')
    .description('List, show and steer sagas: work of several transactions that is finished or undone.');
  addJsonVerb(
    saga,
    'list',
    'List the open sagas of all tenants, oldest first, or all of one tenant, newest first.',
    [
      'saga list --stuck',
      'saga list --definition payments.payment --state needs_operator',
      'saga list --tenant acme --state compensated --json',
    ],
  )
    .option('--tenant <id-or-slug>', 'of this tenant, those that have ended as well')
    .option('--state <state>', 'only running, compensating, needs_operator, completed or compensated')
    .option('--definition <name>', 'only of this definition')
    .option('--stuck', 'only such as somebody has to look at')
    .action(lazily(async () => (await import('../sagas.js')).listSagas));
  addJsonVerb(
    saga,
    'show <tenant> <id>',
    'Show one saga: its steps, and what has happened to it and by whom.',
    ['saga show acme 0199a1b2-…'],
  ).action(lazily(async () => (await import('../sagas.js')).showSaga));
  addJsonVerb(
    saga,
    'retry [tenant] [id]',
    'Have a saga that waits for an operator, or all of a definition, go on in the direction in which it was.',
    [
      'saga retry acme 0199a1b2-…',
      'saga retry acme 0199a1b2-… --as done --ticket OPS-4711',
      'saga retry --definition payments.bank_payment --yes',
    ],
  )
    .option(
      '--as <outcome>',
      'settle by hand what has become of its step outside: done, refused (no effect, and will have none) or, on the way back, compensated',
    )
    .option('--ticket <id>', 'your record of how that is known; with --as')
    .option('--definition <name>', 'all of this definition, of all tenants, the 1,000 oldest at a time')
    .option('--yes', 'with --definition: do it; otherwise they are listed')
    .action(lazily(async () => (await import('../sagas.js')).retrySaga));
  addJsonVerb(saga, 'compensate <tenant> <id>', 'Give up a saga that stands still, as long as it can be.', [
    'saga compensate acme 0199a1b2-…',
  ]).action(lazily(async () => (await import('../sagas.js')).compensateSaga));
  addJsonVerb(saga, 'cancel <tenant> <id>', 'Give up a saga before its next step, as long as it can be.', [
    'saga cancel acme 0199a1b2-…',
  ]).action(lazily(async () => (await import('../sagas.js')).cancelSaga));
}
