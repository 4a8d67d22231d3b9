import { DomainError } from '@holdfast/kernel';

/** The export cannot be downloaded, because it is under way or has failed. */
export class AuditExportNotReady extends DomainError {
  readonly code = 'audit.export_not_ready';
  readonly kind = 'conflict';

  constructor() {
    super('This export is not completed. Look at its status.');
  }
}

/** The file of the export has been removed. */
export class AuditExportExpired extends DomainError {
  readonly code = 'audit.export_expired';
  readonly kind = 'conflict';

  constructor() {
    super('The file of this export has been removed. Ask for another one.');
  }
}

/** A bundle holds the whole log, since a part of it could not be verified. */
export class BundleNotFiltered extends DomainError {
  readonly code = 'audit.bundle_not_filtered';
  readonly kind = 'refused';

  constructor() {
    super('A bundle holds the whole log. Leave the filters out, or ask for NDJSON or CSV.');
  }
}
