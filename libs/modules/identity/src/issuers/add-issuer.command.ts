import { type Caller, newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, requireFeature, requireQuota, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { unknownIssuer } from '../members/members.errors';
import { requireHeld } from '../roles/create-role.command';
import { findHeldRole, getHeldRole } from '../roles/roles.sql';
import { TokenVerifier } from '../tokens/token-verifier';
import { issuerContent, type IssuerView, showIssuer } from './issuer';
import { issuerAdded } from './issuers.events';
import { COUNT_ISSUERS, insertIssuer, type IssuerContent } from './issuers.sql';

/** What POST /v1/issuers takes. */
export const addIssuerInput = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .max(500)
    .meta({ description: 'One whose tokens this system accepts.', examples: ['https://id.example.com'] }),
  ...issuerContent,
});

/** Lets the claims of a trusted issuer bring people into the caller's tenant. */
export class AddIssuer extends TenantCommand<z.output<typeof addIssuerInput>, IssuerView> {
  readonly scope = 'issuers:write';
}

@CommandHandler(AddIssuer)
export class AddIssuerHandler extends TenantCommandHandler<AddIssuer> {
  constructor(private readonly tokens: TokenVerifier) {
    super();
  }

  protected async handle(tx: TenantTx, { caller, input }: AddIssuer): Promise<IssuerView> {
    requireFeature(caller, 'single_sign_on');
    if (!this.tokens.trusted.includes(input.issuer)) throw unknownIssuer();
    const { issuer, claim, claimValue, roleClaim = null, roles, defaultRole = null } = input;
    const content = { claim, claimValue, roleClaim, roles, defaultRole };
    await requireRolesHeld(tx, caller, content);
    await requireQuota(tx, 'issuers', COUNT_ISSUERS);
    const row = await insertIssuer(tx, { id: newId(), issuer, ...content });
    await tx.announce(announcement(issuerAdded, { id: row.id, version: row.version }, {}));
    return showIssuer(row);
  }
}

type Given = Pick<IssuerContent, 'roles' | 'defaultRole'>;

/** Whoever maps a claim to a role gives that role away. Throws InvalidInput for one that is not there, and ScopeNotHeld. */
export async function requireRolesHeld(tx: TenantTx, caller: Caller, given: Given): Promise<void> {
  for (const reference of rolesIn(given)) requireHeld(caller, (await getHeldRole(tx, reference)).scopes);
}

/** And whoever changes or removes a mapping takes its roles away, those that are still there. Throws ScopeNotHeld. */
export async function requireLostRolesHeld(tx: TenantTx, caller: Caller, lost: Given): Promise<void> {
  for (const reference of rolesIn(lost))
    requireHeld(caller, (await findHeldRole(tx, reference))?.scopes ?? []);
}

function rolesIn({ roles, defaultRole }: Given): ReadonlySet<string> {
  return new Set([...roles.map(({ role }) => role), ...(defaultRole === null ? [] : [defaultRole])]);
}
