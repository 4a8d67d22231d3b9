import { NotFound, VersionMismatch } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { requireLostRolesHeld, requireRolesHeld } from './add-issuer.command';
import { issuerContent, type IssuerView, showIssuer } from './issuer';
import { issuerChanged } from './issuers.events';
import { lockIssuer, updateIssuer } from './issuers.sql';

/** What PATCH /v1/issuers/{id} takes. Whose mapping it is stays. */
export const changeIssuerInput = z.strictObject({
  claim: issuerContent.claim.optional(),
  claimValue: issuerContent.claimValue.optional(),
  roleClaim: issuerContent.roleClaim,
  roles: issuerContent.roles.unwrap().optional(),
  defaultRole: issuerContent.defaultRole,
});

type Change = z.output<typeof changeIssuerInput> & { readonly id: string; readonly version: string };

/** Changes what an issuer's claims give. Members whom they brought in follow at their next sign-in, or within a minute. */
export class ChangeIssuer extends TenantCommand<Change, IssuerView> {
  readonly scope = 'issuers:write';
}

@CommandHandler(ChangeIssuer)
export class ChangeIssuerHandler extends TenantCommandHandler<ChangeIssuer> {
  protected async handle(tx: TenantTx, { caller, input }: ChangeIssuer): Promise<IssuerView> {
    const locked = await lockIssuer(tx, input.id);
    if (!locked) throw new NotFound();
    if (locked.version.toString() !== input.version) throw new VersionMismatch();
    const lost = { roles: locked.roles, defaultRole: locked.default_role };
    await requireLostRolesHeld(tx, caller, lost);
    const content = {
      claim: input.claim ?? locked.claim,
      claimValue: input.claimValue ?? locked.claim_value,
      roleClaim: input.roleClaim === undefined ? locked.role_claim : input.roleClaim,
      roles: input.roles ?? locked.roles,
      defaultRole: input.defaultRole === undefined ? locked.default_role : input.defaultRole,
    };
    await requireRolesHeld(tx, caller, content);
    const row = await updateIssuer(tx, locked.id, content);
    await tx.announce(announcement(issuerChanged, { id: row.id, version: row.version }, {}));
    return showIssuer(row);
  }
}
