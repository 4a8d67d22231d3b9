import { idSchema } from '@holdfast/kernel';
import { z } from 'zod';
import { roleReference } from '../roles/role';

/** The role that one value of a claim gives. */
export interface ValueRole {
  readonly value: string;
  readonly role: string;
}

/** A row of identity.issuers. */
export interface IssuerRow {
  readonly id: string;
  readonly issuer: string;
  readonly claim: string;
  readonly claim_value: string;
  readonly role_claim: string | null;
  readonly roles: readonly ValueRole[];
  readonly default_role: string | null;
  readonly version: bigint;
  readonly created_at: Date;
}

/** A role that a claim may give. Owners are made by hand: an issuer's administrator is not the tenant's. */
export const givenRole = roleReference.refine((role) => role !== 'owner', 'A claim makes nobody an owner.');

const text = z.string().min(1).max(200);
const claimName = text.meta({ description: 'A claim, or a path with dots: `realm_access.roles`.' });

/** The role of a value in a request. */
export const valueRole = z.strictObject({ value: text.meta({ examples: ['staff'] }), role: givenRole });

/** The same on the wire. */
export const valueRoleView = z.object({ value: z.string(), role: z.string() });

/** What people write down about an issuer. */
export const issuerContent = {
  claim: claimName.meta({ examples: ['org'] }),
  claimValue: text.meta({
    description: 'What the claim has to be, or to contain: these are your people.',
    examples: ['acme'],
  }),
  roleClaim: claimName.nullish(),
  roles: z
    .array(valueRole)
    .max(50)
    .default([])
    .meta({ description: 'Role by value of `roleClaim`; the first that fits.' }),
  defaultRole: givenRole.nullish().meta({
    description: 'For those whose values choose no role; null keeps them out.',
    examples: ['member'],
  }),
};

/** An issuer's mapping on the wire. */
export const issuerView = z.object({
  id: idSchema,
  issuer: z.string(),
  claim: z.string(),
  claimValue: z.string(),
  roleClaim: z.string().nullable(),
  roles: z.array(valueRoleView),
  defaultRole: z.string().nullable(),
  version: z.string(),
  createdAt: z.iso.datetime(),
});

/** An issuer's mapping on the wire. */
export type IssuerView = z.output<typeof issuerView>;

/** Shows a row. */
export function showIssuer(row: IssuerRow): IssuerView {
  return {
    id: row.id,
    issuer: row.issuer,
    claim: row.claim,
    claimValue: row.claim_value,
    roleClaim: row.role_claim,
    roles: [...row.roles],
    defaultRole: row.default_role,
    version: row.version.toString(),
    createdAt: row.created_at.toISOString(),
  };
}
