import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { releaseParkedKey } from '@holdfast/events';
import { deterministicId } from '@holdfast/kernel';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { NotQuarantined } from './groups.errors';
import { parkedKeyReleased } from './groups.events';
import { nextVersionOf } from './groups.sql';

/** Why the operator acts on a group. */
export const reasonSchema = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .meta({ examples: ['The consumer was mended in release 1.4.2.'] });

/** The name of a group, as its class declares it. */
export const groupSchema = z
  .string()
  .max(40)
  .regex(/^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*$/)
  .meta({ examples: ['usage'] });

/** What is to be released. */
export const releaseParkedKeyInput = z.strictObject({
  group: groupSchema,
  key: z.string().min(1).max(200),
  skipFailed: z
    .boolean()
    .default(false)
    .meta({ description: 'Drop the one event that failed, and go on behind it. It stays in the log.' }),
  reason: reasonSchema,
});

/** The key that goes on. */
export const releasedKeyView = z.object({
  tenantId: z.uuid(),
  group: z.string(),
  key: z.string(),
  state: z.literal('releasing'),
  eventCount: z.int(),
  skippedEventId: z.uuid().nullable(),
});

/**
 * Lets a quarantined key go on: its events are delivered in order within about a second, the one that failed first, or
 * without it. When one fails, the key is quarantined again.
 */
export class ReleaseParkedKey extends TenantCommand<
  z.output<typeof releaseParkedKeyInput>,
  z.output<typeof releasedKeyView>
> {
  readonly scope = 'operator';
}

@CommandHandler(ReleaseParkedKey)
export class ReleaseParkedKeyHandler extends TenantCommandHandler<ReleaseParkedKey> {
  protected async handle(
    tx: TenantTx,
    { caller, input: { group, key, skipFailed, reason } }: ReleaseParkedKey,
  ): Promise<z.output<typeof releasedKeyView>> {
    const acting = { isSkipping: skipFailed, actor: caller.act ?? caller.actor, reason };
    const released = await releaseParkedKey(tx, group, key, acting);
    if (!released) throw new NotQuarantined();
    const skippedEventId = skipFailed ? released.failedEventId : null;
    const id = deterministicId('delivery.parked_key', tx.tenantId, group, key);
    const version = await nextVersionOf(tx, parkedKeyReleased.streamType, id);
    await tx.announce(announcement(parkedKeyReleased, { id, version }, { group, key, skippedEventId }));
    const eventCount = Number(released.eventCount);
    return { tenantId: tx.tenantId, group, key, state: 'releasing', eventCount, skippedEventId };
  }
}
