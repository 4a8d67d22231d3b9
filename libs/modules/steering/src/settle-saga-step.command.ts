import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { findSeenSaga, settleStep } from '@holdfast/sagas';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type SagaView, showSaga } from './saga-view';

/** What an operator says of the step at which a saga has stopped. */
export const settleInput = z.strictObject({
  as: z.enum(['done', 'refused', 'compensated']).meta({
    description:
      '`done`: it is in effect; `refused`: it has no effect and will have none, so that the saga turns back; `compensated`, on the way back: it is taken back.',
  }),
  ticket: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/#:-]{0,99}$/)
    .meta({
      description: 'Your record of how that is known; no text, since the log is kept for ever.',
      examples: ['OPS-4711'],
    }),
});

/** Settles the step at which a saga has stopped: see `settleStep`, whose errors it throws. Its caller has the grant of the saga's module. */
export class SettleSagaStep extends TenantCommand<
  z.output<typeof settleInput> & { readonly id: string },
  SagaView
> {
  readonly scope = 'operator';
}

@CommandHandler(SettleSagaStep)
export class SettleSagaStepHandler extends TenantCommandHandler<SettleSagaStep> {
  protected async handle(tx: TenantTx, { input: { id, ...outcome } }: SettleSagaStep): Promise<SagaView> {
    await settleStep(tx, id, outcome);
    const seen = await findSeenSaga(tx, id);
    if (!seen) throw new NotFound();
    return showSaga(seen);
  }
}
