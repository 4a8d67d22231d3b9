import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { writeKeyRevoked } from './write-keys.events';
import { lockWriteKey, markWriteKeyRevoked } from './write-keys.sql';

interface Named {
  readonly id: string;
}

/** Ends a write key: ingest refuses it within a minute. Ending it again changes nothing. */
export class RevokeWriteKey extends TenantCommand<Named, Named> {
  readonly scope = 'telemetry:write';
}

@CommandHandler(RevokeWriteKey)
export class RevokeWriteKeyHandler extends TenantCommandHandler<RevokeWriteKey> {
  protected async handle(tx: TenantTx, { input: { id } }: RevokeWriteKey): Promise<Named> {
    const key = await lockWriteKey(tx, id);
    if (key.revoked_at) return { id };
    await markWriteKeyRevoked(tx, id);
    await tx.announce(announcement(writeKeyRevoked, { id, version: key.version + 1n }, {}));
    return { id };
  }
}
