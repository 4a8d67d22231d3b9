import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { askTenantToRewind, type ReplayStart } from '@holdfast/events';
import { type Caller, deterministicId, NotFound } from '@holdfast/kernel';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import { type replayView, showReplay } from './group-view';
import { consumerReplayed } from './groups.events';
import { hasEvents, nextVersionOf } from './groups.sql';
import type { replayFromSchema } from './replay-from';

/**
 * Takes a group back in one tenant, before its next delivery there. Where to was looked up among the ticks that are kept,
 * and whether the group allows it. Throws NotFound for a tenant that has no events, and so does not exist.
 */
export class ReplayTenant extends TenantCommand<
  { readonly group: string; readonly from: z.output<typeof replayFromSchema>; readonly reason: string },
  z.output<typeof replayView>
> {
  readonly scope = 'operator';

  /** `start` is no part of the input: the same request may find another tick later, and is the same request. */
  constructor(
    caller: Caller,
    input: ReplayTenant['input'],
    readonly start: ReplayStart,
    idempotency?: Idempotency,
  ) {
    super(caller, input, idempotency);
  }
}

@CommandHandler(ReplayTenant)
export class ReplayTenantHandler extends TenantCommandHandler<ReplayTenant> {
  protected async handle(
    tx: TenantTx,
    { input: { group }, start }: ReplayTenant,
  ): Promise<z.output<typeof replayView>> {
    // The cursor's row is the lock under which the replay is announced.
    if (!(await hasEvents(tx)) || !(await askTenantToRewind(tx, group, start.tick))) throw new NotFound();
    const id = deterministicId('delivery.consumer', tx.tenantId, group);
    const version = await nextVersionOf(tx, consumerReplayed.streamType, id);
    await tx.announce(
      announcement(consumerReplayed, { id, version }, { group, tick: start.tick.toString() }),
    );
    return showReplay(group, tx.tenantId, start);
  }
}
