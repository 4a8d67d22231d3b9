import { DomainError } from '@holdfast/kernel';
import { IdempotencyKeyReused } from '@holdfast/cqrs';

/** Debit and credit account of a transfer are the same. */
export class AccountsMustDiffer extends DomainError {
  readonly code = 'ledger.accounts_must_differ';
  readonly kind = 'refused';

  constructor() {
    super('A transfer needs two different accounts.');
  }
}

/** The tenant has no such account; the same for one of another tenant. */
export class AccountNotFound extends DomainError {
  readonly code = 'ledger.account_not_found';
  readonly kind = 'not_found';

  constructor() {
    super('There is no such account.');
  }
}

/** The account takes no more transfers. */
export class AccountClosed extends DomainError {
  readonly code = 'ledger.account_closed';
  readonly kind = 'refused';

  constructor() {
    super('One of the accounts is closed.');
  }
}

/** The accounts count different things. */
export class AssetMismatch extends DomainError {
  readonly code = 'ledger.asset_mismatch';
  readonly kind = 'refused';

  constructor() {
    super('The accounts are of different assets.');
  }
}

/** A total of an account would pass 2^63-1 minor units. */
export class TotalOverflow extends DomainError {
  readonly code = 'ledger.overflow';
  readonly kind = 'refused';

  constructor() {
    super('The total of an account would grow beyond what can be counted.');
  }
}

/** The debited account may not have more debits than credits, and would. */
export class ExceedsCredits extends DomainError {
  readonly code = 'ledger.exceeds_credits';
  readonly kind = 'refused';

  constructor() {
    super('The debits of the account would exceed its credits.');
  }
}

/** The credited account may not have more credits than debits, and would. */
export class ExceedsDebits extends DomainError {
  readonly code = 'ledger.exceeds_debits';
  readonly kind = 'refused';

  constructor() {
    super('The credits of the account would exceed its debits.');
  }
}

/** The id belongs to a transfer that asked for something else. `code` ends in the first field that differs. */
export class ExistsWithDifferent extends DomainError {
  readonly kind = 'refused';

  constructor(override readonly code: string) {
    super('This id belongs to another transfer with different fields. Choose a new id.');
  }
}

/** The tenant has an account of this code already. */
export class CodeTaken extends DomainError {
  readonly code = 'ledger.code_taken';
  readonly kind = 'conflict';

  constructor() {
    super('There is an account with this code.');
  }
}

/** More transfers are waiting than can be posted soon. Nothing was changed. */
export class LedgerOverloaded extends DomainError {
  readonly code = 'ledger.overloaded';
  readonly kind = 'unavailable';
  // A full queue is a second or two of work.
  override readonly retryAfterSeconds = 2;

  constructor() {
    super('Too many transfers are waiting. Nothing was changed; try again.');
  }
}

/** The caller's grant ended while the transfer was waiting. Nothing was changed. */
export class GrantExpired extends DomainError {
  readonly code = 'ledger.grant_expired';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor(options?: ErrorOptions) {
    super(
      'The request waited for longer than its credential was good for. Nothing was changed; try again.',
      options,
    );
  }
}

const EXISTS_WITH_DIFFERENT = 'ledger.exists_with_different_';

/** The results of `ledger.post_batch` that refuse, by code; its migration says when each is given. */
const REFUSALS: Readonly<Record<string, () => DomainError>> = {
  'ledger.accounts_must_differ': () => new AccountsMustDiffer(),
  'ledger.account_not_found': () => new AccountNotFound(),
  'ledger.account_closed': () => new AccountClosed(),
  'ledger.asset_mismatch': () => new AssetMismatch(),
  'ledger.overflow': () => new TotalOverflow(),
  'ledger.exceeds_credits': () => new ExceedsCredits(),
  'ledger.exceeds_debits': () => new ExceedsDebits(),
  'idempotency.key_reused': () => new IdempotencyKeyReused(),
};

/** The refusal that a result of `ledger.post_batch` stands for, or undefined for `created` and `exists`. */
export function refusalOf(result: string): DomainError | undefined {
  if (result === 'created' || result === 'exists') return undefined;
  if (result.startsWith(EXISTS_WITH_DIFFERENT)) return new ExistsWithDifferent(result);
  const refusal = REFUSALS[result];
  if (!refusal) throw new Error(`ledger.post_batch answered an unknown result: ${result}`);
  return refusal();
}
