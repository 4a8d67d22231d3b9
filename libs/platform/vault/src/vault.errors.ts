import { DomainError } from '@holdfast/kernel';

/** The keys of the tenant cannot be reached: what names a person is neither written nor read meanwhile. */
export class VaultUnavailable extends DomainError {
  readonly code = 'vault.unavailable';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 5;

  constructor(override readonly cause: unknown) {
    super('The keys of personal values cannot be reached. Nothing was changed; try again.');
  }
}
