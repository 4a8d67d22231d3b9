import { DomainError } from '@holdfast/kernel';

/** Payer and payee are the same tenant: a transfer of its ledger does that at once. */
export class SameTenant extends DomainError {
  readonly code = 'payments.same_tenant';
  readonly kind = 'refused';

  constructor() {
    super('A payment is between two tenants. Within one, post a transfer of its ledger.');
  }
}

/**
 * The one code by which a payer learns that the payee's side takes no part, whatever the reason: an unknown tenant or account, one
 * that is closed, suspended or kept by the system, another asset, or a limit.
 */
export const PAYEE_REFUSED = 'payments.payee_refused';
