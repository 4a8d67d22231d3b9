import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { WriteKeysNotConfigured } from '../telemetry.errors';
import { WriteKeySigning, type WriteKeyView } from './write-key';
import { writeKeyCreated } from './write-keys.events';
import { COUNT_WRITE_KEYS, insertWriteKey } from './write-keys.sql';

/** What POST /v1/telemetry/write-keys takes. */
export const createWriteKeyInput = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .meta({ description: 'What sends with it.', examples: ['web shop'] }),
});

/** Makes a key that telemetry of the tenant is sent with, and nothing else may be done with. */
export class CreateWriteKey extends TenantCommand<z.output<typeof createWriteKeyInput>, WriteKeyView> {
  readonly scope = 'telemetry:write';
}

@CommandHandler(CreateWriteKey)
export class CreateWriteKeyHandler extends TenantCommandHandler<CreateWriteKey> {
  constructor(private readonly signing: WriteKeySigning) {
    super();
  }

  protected async handle(tx: TenantTx, { input: { name } }: CreateWriteKey): Promise<WriteKeyView> {
    if (!this.signing.signer) throw new WriteKeysNotConfigured();
    await requireQuota(tx, 'writeKeys', COUNT_WRITE_KEYS);
    const id = newId();
    const row = await insertWriteKey(tx, id, name);
    await tx.announce(announcement(writeKeyCreated, { id, version: 1n }, {}));
    return this.signing.show(tx.tenantId, row);
  }
}
