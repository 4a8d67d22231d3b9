import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast write-key …` */
export function addWriteKeys(program: Command): void {
  const writeKey = program
    .command('write-key')
    .description('Make, list and revoke the keys that telemetry is sent with.');
  addJsonVerb(
    writeKey,
    'create <tenant>',
    'Make a write key. It is public, may only send telemetry, and can be shown again.',
    ['write-key create acme --name "web shop"'],
  )
    .option('--name <name>', 'what sends with it', 'command line')
    .action(lazily(async () => (await import('../write-keys.js')).createWriteKey));
  addJsonVerb(writeKey, 'list <tenant>', 'List the write keys of a tenant, newest first.', [
    'write-key list acme',
  ]).action(lazily(async () => (await import('../write-keys.js')).listWriteKeys));
  addJsonVerb(writeKey, 'revoke <tenant> <id>', 'Revoke a write key: ingest refuses it within a minute.', [
    'write-key revoke acme 0199a1b2-…',
  ]).action(lazily(async () => (await import('../write-keys.js')).revokeWriteKey));
}
