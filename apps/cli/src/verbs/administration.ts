import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast migrate` and `holdfast doctor`. */
export function addAdministration(program: Command): void {
  addJsonVerb(
    program,
    'migrate',
    'Apply the migrations that are missing and set the passwords of the roles.',
    ['migrate', 'migrate --dump prisma'],
  )
    .option(
      '--dump <directory>',
      'afterwards write structure.sql and policies.txt, which show the database as it is',
    )
    .action(lazily(async () => (await import('../migrate-system.js')).migrateVerb));
  addJsonVerb(program, 'doctor', 'Look for holes in tenant isolation; exits with 1 when there is one.', [
    'doctor',
    'doctor --json',
  ]).action(lazily(async () => (await import('../doctor.js')).doctor));
}
