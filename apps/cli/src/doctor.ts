import { Database } from '@holdfast/database';
import { formatDiagnosis, holesIn, runDoctor } from '@holdfast/tenancy';
import { VerbFailed } from './failures';
import { printOutcome } from './output';
import { required, runningSystem } from './running-system';

/** Prints what it finds of holes in tenant isolation, and what it was told to leave out; fails when there is a hole. */
export async function doctor({ json }: { readonly json?: boolean }): Promise<void> {
  const system = runningSystem();
  const open = (url: string | undefined, variable: string): Database =>
    new Database({ url: required(url, variable), name: 'holdfast doctor', connectionsMax: 2 });
  const app = open(system.databaseUrl, 'DATABASE_URL');
  const auth = open(system.databaseAuthUrl, 'DATABASE_AUTH_URL');
  try {
    const diagnosis = await runDoctor({ app, auth }, { isProduction: system.nodeEnv === 'production' });
    printOutcome(json, diagnosis, formatDiagnosis);
    const holes = holesIn(diagnosis);
    if (holes.length > 0) throw new VerbFailed(`${holes.length} holes`);
  } finally {
    await Promise.all([app.close(), auth.close()]);
  }
}
