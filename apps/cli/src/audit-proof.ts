import { writeFileSync } from 'node:fs';
import { checkpointByHand, proveEventByHand } from '@holdfast/audit';
import { idSchema, NotFound } from '@holdfast/kernel';
import { TenantDatabase } from '@holdfast/tenancy';
import { VerbFailed, WrongUsage } from './failures';
import { operatedTenants } from './operated-tenants';
import { asOperator } from './operator';
import { printOutcome } from './output';

interface Asked {
  readonly tenant?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** Prints, or writes, the proof of an event: of the tenant that is named, or of whichever has it. */
export async function proveEvent(event: string, { tenant, out, json }: Asked): Promise<void> {
  const id = idSchema.safeParse(event);
  if (!id.success) throw new WrongUsage('An event is named by its id, a UUID.');
  const proven = await asOperator(async (operator) => {
    const tenants = new TenantDatabase(operator.ops);
    for (const each of await operatedTenants(operator, tenant)) {
      try {
        const proof = await proveEventByHand(tenants, await operator.callerFor(each.id), id.data);
        return { tenantId: each.id, slug: each.slug, ...proof };
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
      }
    }
    return undefined;
  });
  if (!proven) {
    process.stderr.write('There is no such event.\n');
    throw new VerbFailed('no such event');
  }
  if (out !== undefined) writeFileSync(out, proven.file);
  if (out === undefined || json) printOutcome(json, proven, ({ file }) => file.trimEnd());
}

/** Prints the newest checkpoint of each log: to be kept somewhere else, and verified against later. */
export async function showCheckpoints({ tenant, json }: Asked): Promise<void> {
  const checkpoints = await asOperator(async (operator) => {
    const tenants = new TenantDatabase(operator.ops);
    const shown = [];
    for (const { id, slug } of await operatedTenants(operator, tenant)) {
      const checkpoint = await checkpointByHand(tenants, await operator.callerFor(id));
      shown.push({ tenantId: id, slug, ...checkpoint });
    }
    return shown;
  });
  printOutcome(json, checkpoints, (all) =>
    all
      .map(({ note }) => note)
      .join('\n')
      .trimEnd(),
  );
}
