import { Database } from '@holdfast/database';
import { formatFindings, runDoctor } from '@holdfast/tenancy';
import { VerbFailed } from './failures';
import { printOutcome } from './output';
import { required, runningSystem } from './running-system';

/** Prints the holes in tenant isolation that it finds, and fails when there is one. */
export async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const system = runningSystem();
  const open = (url: string | undefined, variable: string): Database =>
    new Database({ url: required(url, variable), name: 'holdfast doctor', connectionsMax: 2 });
  const app = open(system.databaseUrl, 'DATABASE_URL');
  const auth = open(system.databaseAuthUrl, 'DATABASE_AUTH_URL');
  try {
    const findings = await runDoctor({ app, auth });
    printOutcome(json, findings, formatFindings);
    if (findings.length > 0) throw new VerbFailed(`${findings.length} findings`);
  } finally {
    await Promise.all([app.close(), auth.close()]);
  }
}
