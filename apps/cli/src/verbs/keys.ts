import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast key …` */
export function addKeys(program: Command): void {
  const key = program
    .command('key')
    .description('Make, list and end API keys; rotate the key that signs grants.');
  addJsonVerb(key, 'create <tenant>', 'Make an API key. It is shown once.', [
    'key create acme --name billing --scopes ledger:read,ledger:write',
    'key create acme --test --expires 2027-01-01T00:00:00Z',
  ])
    .option('--name <name>', 'what it is for', 'command line')
    .option('--scopes <list>', 'what it may do, separated by commas; * for everything', '*')
    .option('--expires <instant>', 'when it ends by itself, RFC 3339')
    .option('--test', 'a key for a sandbox: hf_test_…')
    .option('--reason <text>', 'why, where it is not the tenant’s first; the tenant can read it')
    .action(lazily(async () => (await import('../keys.js')).createKey));
  addJsonVerb(key, 'list <tenant>', 'List the keys of a tenant, newest first, without their secrets.', [
    'key list acme',
  ]).action(lazily(async () => (await import('../keys.js')).listKeys));
  addJsonVerb(key, 'revoke <tenant> <id>', 'End a key: it is refused everywhere within five seconds.', [
    'key revoke acme 0199a1b2-…',
  ]).action(lazily(async () => (await import('../keys.js')).revokeKey));
  addJsonVerb(
    key,
    'rotate-signing',
    'Sign grants with a fresh key; those that were signed before live out.',
    ['key rotate-signing'],
  ).action(lazily(async () => (await import('../keys.js')).rotateSigning));
}
