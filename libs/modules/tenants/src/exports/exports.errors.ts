import { DomainError } from '@holdfast/kernel';

/** The export has no files to download, because it is under way or has failed. */
export class ExportNotReady extends DomainError {
  readonly code = 'tenants.export_not_ready';
  readonly kind = 'conflict';

  constructor() {
    super('This export is not completed. Look at its status.');
  }
}

/** The files of the export have been removed. */
export class ExportExpired extends DomainError {
  readonly code = 'tenants.export_expired';
  readonly kind = 'conflict';

  constructor() {
    super('The files of this export have been removed. Ask for another one.');
  }
}
