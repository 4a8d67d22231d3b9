import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { lockApiKey, markApiKeyRevoked } from './api-keys.sql';
import { apiKeyRevoked } from './identity.events';

/** Ends a key of the caller's tenant. Ending it again changes nothing. */
export class RevokeApiKey extends TenantCommand<{ readonly id: string }, { readonly id: string }> {
  readonly scope = 'keys:write';
}

@CommandHandler(RevokeApiKey)
export class RevokeApiKeyHandler extends TenantCommandHandler<RevokeApiKey> {
  protected async handle(tx: TenantTx, { input: { id } }: RevokeApiKey): Promise<{ readonly id: string }> {
    const key = await lockApiKey(tx, id);
    if (!key) throw new NotFound();
    if (key.revoked_at) return { id };
    await markApiKeyRevoked(tx, id);
    await tx.announce(announcement(apiKeyRevoked, { id, version: key.version + 1n }, {}));
    return { id };
  }
}
