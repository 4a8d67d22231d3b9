import { DomainError } from '@holdfast/kernel';

/** The bank has refused the payment, or will not take it back. It has decided, and asking again is of no use. */
export class BankRefused extends DomainError {
  readonly code = 'payments.bank_refused';
  readonly kind = 'refused';

  constructor(readonly how: 'refused' | 'cancelled' | 'not_cancelled') {
    super('The bank has refused the payment.');
  }
}

/** The bank has not decided yet. It is asked again. */
export class BankUndecided extends DomainError {
  readonly code = 'payments.bank_undecided';
  readonly kind = 'unavailable';

  constructor() {
    super('The bank has not decided yet.');
  }
}

/** This installation has no partner bank. */
export class BankNotConfigured extends DomainError {
  readonly code = 'payments.bank_not_configured';
  readonly kind = 'refused';

  constructor() {
    super('There is no bank here through which payments leave this installation.');
  }
}
