import { WrongState } from './tenants.errors';

/**
 * `active`: everything goes on. `suspended`: its credentials end holds and open nothing else, consumers go on. `closing`: the
 * same, and it waits for its erasure. `erasing`: nobody but the eraser works in it. `erased`: nothing is left but the receipt.
 */
export const TENANT_STATES = ['active', 'suspended', 'closing', 'erasing', 'erased'] as const;

/** What a tenant is open to. */
export type TenantState = (typeof TENANT_STATES)[number];

/** Every change of a state that there is: from where, and to where. */
export const TRANSITIONS = {
  suspend: { from: ['active'], to: 'suspended' },
  resume: { from: ['suspended', 'closing'], to: 'active' },
  close: { from: ['active', 'suspended'], to: 'closing' },
  beginErasing: { from: ['closing'], to: 'erasing' },
  postponeErasing: { from: ['erasing'], to: 'closing' },
  finishErasing: { from: ['erasing'], to: 'erased' },
} as const satisfies Readonly<
  Record<string, { readonly from: readonly TenantState[]; readonly to: TenantState }>
>;

/** A change of a tenant's state. */
export type Transition = keyof typeof TRANSITIONS;

/** The state that a change leads to; throws WrongState where it does not begin at this one. */
export function stateAfter(transition: Transition, state: TenantState): TenantState {
  const { from, to } = TRANSITIONS[transition];
  if (!(from as readonly TenantState[]).includes(state)) throw new WrongState(state);
  return to;
}
