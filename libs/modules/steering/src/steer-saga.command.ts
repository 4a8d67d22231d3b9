import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { findSeenSaga, steerSaga, type Steering } from '@holdfast/sagas';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { type SagaView, showSaga } from './saga-view';

/** Steers a saga: see `steerSaga`, whose errors it throws. The saga's events say who asked. */
export class SteerSaga extends TenantCommand<{ readonly id: string; readonly steering: Steering }, SagaView> {
  readonly scope = 'sagas:write';
}

@CommandHandler(SteerSaga)
export class SteerSagaHandler extends TenantCommandHandler<SteerSaga> {
  protected async handle(tx: TenantTx, { input: { id, steering } }: SteerSaga): Promise<SagaView> {
    await steerSaga(tx, id, steering);
    const steered = await findSeenSaga(tx, id);
    if (!steered) throw new NotFound();
    return showSaga(steered);
  }
}
