import { NotFound, VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { requireLostRolesHeld } from './add-issuer.command';
import { issuerRemoved } from './issuers.events';
import { deleteIssuer, lockIssuer } from './issuers.sql';

interface Named {
  readonly id: string;
}

/** Takes an issuer's claims their effect. Members whom they brought in are out at their next sign-in, or within a minute. */
export class RemoveIssuer extends TenantCommand<Named & { readonly version: string }, Named> {
  readonly scope = 'issuers:write';
}

@CommandHandler(RemoveIssuer)
export class RemoveIssuerHandler extends TenantCommandHandler<RemoveIssuer> {
  protected async handle(tx: TenantTx, { caller, input: { id, version } }: RemoveIssuer): Promise<Named> {
    const locked = await lockIssuer(tx, id);
    if (!locked) throw new NotFound();
    if (locked.version.toString() !== version) throw new VersionMismatch();
    const lost = { roles: locked.roles, defaultRole: locked.default_role };
    await requireLostRolesHeld(tx, caller, lost);
    await deleteIssuer(tx, id);
    await tx.announce(announcement(issuerRemoved, { id, version: locked.version + 1n }, {}));
    return { id };
  }
}
