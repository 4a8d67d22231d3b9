import { newId } from '@holdfast/kernel';
import { callerOf } from '@holdfast/tenancy';
import type { z } from 'zod';
import { killedPayment, type killedInput } from './killed-payment';
import { type MortalPlan, runMortal } from './mortal-process';

/** What a process is to do. */
export interface SagaPlan extends MortalPlan {
  /** Which revisions of the definition it knows; it begins sagas of the last. */
  readonly revisions: readonly number[];
  readonly begins: readonly {
    readonly id: string;
    readonly tenantId: string;
    readonly input: z.input<typeof killedInput>;
  }[];
}

runMortal(async ({ revisions, begins }: SagaPlan, { tenants, grants, runner, fate }) => {
  const definitions = revisions.map((revision) => killedPayment(revision, (work) => fate.meet(work)));
  const definition = definitions.at(-1);
  for (const { id, tenantId, input } of definition ? begins : []) {
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    await tenants.transaction(caller, async (tx) => definition && runner.begin(tx, definition, input, id));
  }
});
