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

/** A part of the system owns one of the accounts, and books on it alone. */
export class AccountReserved extends DomainError {
  readonly code = 'ledger.account_reserved';
  readonly kind = 'refused';

  constructor() {
    super('One of the accounts is kept by the system, which alone books on it and ends holds there.');
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

/** The effective date is in a period that is closed. */
export class PeriodClosed extends DomainError {
  readonly code = 'ledger.period_closed';
  readonly kind = 'refused';

  constructor() {
    super('The effective date is in a closed period. Choose a later one.');
  }
}

/** Less than was asked for would be free on an account afterwards. */
export class BalanceBelowMinimum extends DomainError {
  readonly code = 'ledger.balance_below_minimum';
  readonly kind = 'refused';

  constructor() {
    super('The balance of an account would be lower than what was to remain.');
  }
}

/** An item that this one takes effect with was refused, or was posted before. */
export class LinkedItemFailed extends DomainError {
  readonly code = 'ledger.linked_item_failed';
  readonly kind = 'refused';

  constructor() {
    super('An item that this one is linked with was refused or is known, so none of them took effect.');
  }
}

/** The tenant has no such hold; the same for one of another tenant, and for a transfer that is none. */
export class HoldNotFound extends DomainError {
  readonly code = 'ledger.hold_not_found';
  readonly kind = 'not_found';

  constructor() {
    super('There is no such hold.');
  }
}

/** How a hold has ended, by the code that says so. */
const ENDINGS = {
  'ledger.hold_posted': 'posted',
  'ledger.hold_voided': 'voided',
  'ledger.hold_expired': 'expired',
};

/** The hold has ended before; `code` says how. */
export class HoldEnded extends DomainError {
  readonly kind = 'refused';

  constructor(override readonly code: keyof typeof ENDINGS) {
    super(`The hold has ended already: it was ${ENDINGS[code]}.`);
  }
}

/** An expiry before its time: a defect, since only the sweeper asks for it. */
export class HoldNotDue extends DomainError {
  readonly code = 'ledger.hold_not_due';
  readonly kind = 'refused';

  constructor() {
    super('The time of the hold is not over.');
  }
}

/** More was to be posted than is held. */
export class ExceedsHold extends DomainError {
  readonly code = 'ledger.exceeds_hold';
  readonly kind = 'refused';

  constructor() {
    super('The amount is more than what is held.');
  }
}

/** The tenant has no such transfer; the same for one of another tenant. */
export class TransferNotFound extends DomainError {
  readonly code = 'ledger.transfer_not_found';
  readonly kind = 'not_found';

  constructor() {
    super('There is no such transfer.');
  }
}

/** The transfer moved no posted money, or is a reversal itself. */
export class NotReversible extends DomainError {
  readonly code = 'ledger.not_reversible';
  readonly kind = 'refused';

  constructor() {
    super(
      'Only what moved money can be reversed, and no reversal. Of a hold that is the transfer that posted it.',
    );
  }
}

/** The transfer was reversed before. */
export class AlreadyReversed extends DomainError {
  readonly code = 'ledger.already_reversed';
  readonly kind = 'refused';

  constructor() {
    super('The transfer was reversed before.');
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

/** The statement has more entries than its format takes. */
export class StatementTooLong extends DomainError {
  readonly code = 'ledger.statement_too_long';
  readonly kind = 'refused';

  constructor() {
    super('The statement has too many entries for this format. Ask for a shorter time, or for JSON.');
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

/** The results of `ledger.post_items` that refuse, by code; its migration says when each is given. */
const REFUSALS: Readonly<Record<string, () => DomainError>> = {
  'ledger.accounts_must_differ': () => new AccountsMustDiffer(),
  'ledger.account_not_found': () => new AccountNotFound(),
  'ledger.account_closed': () => new AccountClosed(),
  'ledger.account_reserved': () => new AccountReserved(),
  'ledger.asset_mismatch': () => new AssetMismatch(),
  'ledger.overflow': () => new TotalOverflow(),
  'ledger.exceeds_credits': () => new ExceedsCredits(),
  'ledger.exceeds_debits': () => new ExceedsDebits(),
  'ledger.period_closed': () => new PeriodClosed(),
  'ledger.balance_below_minimum': () => new BalanceBelowMinimum(),
  'ledger.linked_item_failed': () => new LinkedItemFailed(),
  'ledger.hold_not_found': () => new HoldNotFound(),
  'ledger.hold_posted': () => new HoldEnded('ledger.hold_posted'),
  'ledger.hold_voided': () => new HoldEnded('ledger.hold_voided'),
  'ledger.hold_expired': () => new HoldEnded('ledger.hold_expired'),
  'ledger.hold_not_due': () => new HoldNotDue(),
  'ledger.exceeds_hold': () => new ExceedsHold(),
  'ledger.transfer_not_found': () => new TransferNotFound(),
  'ledger.not_reversible': () => new NotReversible(),
  'ledger.already_reversed': () => new AlreadyReversed(),
  'idempotency.key_reused': () => new IdempotencyKeyReused(),
};

/** The refusal that a result of `ledger.post_items` stands for, or undefined for `created` and `exists`. */
export function refusalOf(result: string): DomainError | undefined {
  if (result === 'created' || result === 'exists') return undefined;
  if (result.startsWith(EXISTS_WITH_DIFFERENT)) return new ExistsWithDifferent(result);
  const refusal = REFUSALS[result];
  if (!refusal) throw new Error(`ledger.post_items answered an unknown result: ${result}`);
  return refusal();
}
