import { DomainError } from '@holdfast/kernel';
import { sqlDetail, sqlState } from '@holdfast/database';

/** The credential is good, and the operator has suspended its tenant, or the tenant waits for its erasure. */
export class TenantSuspended extends DomainError {
  readonly code = 'tenants.suspended';
  readonly kind = 'forbidden';

  constructor() {
    super('This tenant is suspended. Its operator can say why, and resume it.');
  }
}

/** The tenant is being erased, or is gone. Nothing can be done in it, by anybody. */
export class TenantClosed extends DomainError {
  readonly code = 'tenants.closed';
  readonly kind = 'forbidden';

  /** Whether it is not gone yet: where something was begun in it too late to be seen, its erasure is put off, and it is opened again. */
  constructor(readonly isErasing: boolean) {
    super('This tenant is closed for good.');
  }
}

/** The refusal behind an error of the functions that mint grants, or undefined when it is another one. */
export function closedTenant(error: unknown): DomainError | undefined {
  const state = sqlState(error);
  if (state === 'HF004') return new TenantSuspended();
  return state === 'HF005' ? new TenantClosed(sqlDetail(error) === 'erasing') : undefined;
}
