import { version } from '@holdfast/config';
import { Command } from 'commander';
import { addAdministration } from './verbs/administration';
import { addAudit } from './verbs/audit';
import { addBench } from './verbs/bench-verb';
import { addDev } from './verbs/dev-verb';
import { addDrills } from './verbs/drills';
import { addEvents } from './verbs/events';
import { addKeys } from './verbs/keys';
import { addLedger } from './verbs/ledger';
import { addProcesses } from './verbs/processes';
import { addSagas } from './verbs/sagas';
import { addTenants } from './verbs/tenants';
import { addWriteKeys } from './verbs/write-keys';

/** The whole command line. Nothing that a verb needs is loaded before the verb runs, so `--help` answers at once. */
export function createProgram(): Command {
  const program = new Command('holdfast')
    .description('A multi-tenant backend: tenants, a ledger, an event log and an audit trail on PostgreSQL.')
    .version(version())
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .addHelpText('after', EXIT_CODES);
  addDev(program);
  addProcesses(program);
  addAdministration(program);
  addTenants(program);
  addKeys(program);
  addWriteKeys(program);
  addLedger(program);
  addAudit(program);
  addEvents(program);
  addSagas(program);
  addDrills(program);
  addBench(program);
  for (const verb of verbsUnder(program)) verb.exitOverride();
  return program;
}

const verbsUnder = ({ commands }: Command): Command[] => [...commands, ...commands.flatMap(verbsUnder)];

const EXIT_CODES = `
Without DATABASE_… in the environment, a verb finds the \`holdfast dev\` that runs in this directory.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`;
