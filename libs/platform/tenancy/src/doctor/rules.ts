/** One row of the table of ways in which row-level security fails, and who looks for it. */
export interface IsolationRule {
  readonly rule: number;
  readonly pitfall: string;
  /** `doctor`, or the spec file that fails. */
  readonly guard: string;
}

const DOCTOR = 'doctor';

/**
 * Every way in which tenant isolation is known to fail. The doctor looks for what a live database can show; the rest is
 * about code, and the suite named here runs it. For each row `apps/api/test/mutations.int.spec.ts` breaks the defence and
 * requires the guard to say so.
 */
export const ISOLATION_RULES: readonly IsolationRule[] = [
  { rule: 1, pitfall: 'row-level security is off', guard: DOCTOR },
  { rule: 2, pitfall: 'the role is, or can become, one that policies do not bind', guard: DOCTOR },
  { rule: 3, pitfall: 'the owner steps around policies', guard: DOCTOR },
  { rule: 4, pitfall: 'a policy of another shape', guard: DOCTOR },
  { rule: 5, pitfall: 'injected SQL sets another tenant', guard: DOCTOR },
  { rule: 6, pitfall: 'the context outlives its transaction', guard: DOCTOR },
  { rule: 7, pitfall: 'a missing context gives an empty list', guard: DOCTOR },
  { rule: 8, pitfall: 'the empty context of a used connection gives an empty list', guard: DOCTOR },
  { rule: 9, pitfall: 'a view with the rights of its owner', guard: DOCTOR },
  { rule: 10, pitfall: 'a loose security definer function', guard: DOCTOR },
  { rule: 11, pitfall: 'a foreign key into another tenant', guard: DOCTOR },
  { rule: 12, pitfall: 'a unique index over all tenants tells what exists', guard: DOCTOR },
  {
    rule: 13,
    pitfall: 'the text of a database error shows a row',
    guard: 'apps/api/test/database-detail.int.spec.ts',
  },
  { rule: 14, pitfall: 'a partition is reached past its parent', guard: DOCTOR },
  { rule: 15, pitfall: 'TRUNCATE, REFERENCES, TRIGGER, CREATE or TEMP', guard: DOCTOR },
  { rule: 16, pitfall: 'ON CONFLICT meets a row that is not visible', guard: DOCTOR },
  { rule: 17, pitfall: 'what PostgreSQL opens to everybody, or has not repaired', guard: DOCTOR },
  { rule: 18, pitfall: 'a statement that reaches no index ahead of the policy', guard: DOCTOR },
  {
    rule: 19,
    pitfall: 'resolvers share a transaction',
    guard: 'apps/api/test/parallel-resolvers.int.spec.ts',
  },
  { rule: 20, pitfall: 'a role that may more than its task', guard: DOCTOR },
  {
    rule: 21,
    pitfall: 'a tool drops policies',
    guard: 'libs/platform/database/src/prisma-structure.int.spec.ts',
  },
  {
    rule: 22,
    pitfall: 'the tests run as somebody whom policies do not bind',
    guard: 'libs/platform/testing/src/bound-role.int.spec.ts',
  },
  {
    rule: 23,
    pitfall: 'a store beside PostgreSQL shows another tenant',
    guard: 'apps/api/test/other-stores.int.spec.ts',
  },
  {
    rule: 24,
    pitfall: 'a route shows or changes what another tenant made',
    guard: 'apps/api/test/route-matrix.int.spec.ts',
  },
  {
    rule: 25,
    pitfall: 'the tenant is taken from the request',
    guard: 'apps/api/test/route-matrix.int.spec.ts',
  },
  { rule: 26, pitfall: 'a change that no event tells of', guard: DOCTOR },
];
