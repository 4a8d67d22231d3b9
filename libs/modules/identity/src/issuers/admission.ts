import type { IssuerRow } from './issuer';

type Claims = Readonly<Record<string, unknown>>;
type Mapping = Pick<IssuerRow, 'claim' | 'claim_value' | 'role_claim' | 'roles' | 'default_role'>;

/** The role that the first of a tenant's mappings gives that admits the bearer of these claims, or undefined. */
export function admittedRole(mappings: readonly Mapping[], claims: Claims): string | undefined {
  return mappings.map((mapping) => roleFor(mapping, claims)).find((role) => role !== undefined);
}

/** The role that a mapping gives to the bearer of these claims, or undefined when it keeps them out. */
export function roleFor(mapping: Mapping, claims: Claims): string | undefined {
  if (!valuesOf(claims, mapping.claim).includes(mapping.claim_value)) return undefined;
  const values = mapping.role_claim === null ? [] : valuesOf(claims, mapping.role_claim);
  const chosen = mapping.roles.find(({ value }) => values.includes(value));
  return chosen?.role ?? mapping.default_role ?? undefined;
}

/** A claim's texts: a claim of that name, or what a path with dots leads to. */
function valuesOf(claims: Claims, name: string): readonly string[] {
  const found =
    own(claims, name) ?? name.split('.').reduce<unknown>((value, step) => own(value, step), claims);
  return [found].flat().filter((value): value is string => typeof value === 'string');
}

function own(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Claims)[key]
    : undefined;
}
