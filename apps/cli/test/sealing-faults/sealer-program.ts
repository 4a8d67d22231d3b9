import { flushCompileCache } from 'node:module';
import { receiptKeyEntries, Sealer } from '@holdfast/audit';
import { Database } from '@holdfast/database';
import { injectFaults, type Fault } from '@holdfast/events';

/** What the process is told. */
export interface SealerProgram {
  readonly url: string;
  readonly directory: string;
  readonly privateKey: string;
  readonly logName: string;
  readonly leaseMs: number;
  readonly faults: readonly Fault[];
}

const program = JSON.parse(process.argv[2] ?? '{}') as SealerProgram;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
injectFaults(program.faults);

const database = new Database({ url: program.url, name: 'sealer', connectionsMax: 2 });
const sealer = new Sealer({
  database,
  logName: program.logName,
  privateKeys: [program.privateKey],
  directory: program.directory,
  leaseMs: program.leaseMs,
  restMs: 100,
  installation: receiptKeyEntries,
  report: (error, doing) => say(`failed ${doing}: ${String(error)}`),
  warn: (message) => say(`warning ${message}`),
});
sealer.start();
say('ready');
// Kept for the next one here: this one ends by a signal that leaves no time for it.
flushCompileCache();
setInterval(() => say(sealer.isLeading ? 'leads' : 'waits'), 100);
// A test that dies takes its processes with it: their standard input ends.
process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGKILL'));
