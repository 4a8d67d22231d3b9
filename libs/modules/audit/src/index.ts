export { AuditEvent } from './trail/audit-event.query';
export { AuditTrail } from './trail/audit-trail.query';
export { AuditModule } from './audit.module';
export { Sealer, type SealerOptions } from './sealing/sealer';
export { readSignerMemory, type Signed } from './sealing/signer-memory';
export { EarlierBundle } from './verification/earlier-bundle';
export {
  partsOfOrigin,
  readCheckpoint,
  type ReadCheckpoint,
  type RootClaim,
} from './verification/log-claims';
export type { FindingKind, LogFinding } from './verification/log-finding';
export type { EarlierLeaves, LogTrust } from './verification/log-progress';
export { type ServedLog, type ServedLogOptions, verifyServedLog } from './verification/served-log';
export { VERIFIER_PATH } from './verification/verifier-file.query';
export { type VerifiedLog, verifyLog, type VerifyLogOptions } from './verification/verify-by-hand';
export { AuditExportFile } from './exports/audit-export-file.query';
export { AuditExportTask } from './exports/audit-export-task';
export { auditExportInput, type AuditExportView } from './exports/audit-export-view';
export { AuditExportById } from './exports/audit-exports.query';
export { RequestAuditExport } from './exports/request-audit-export.command';
export { readReceipts, ReceiptRefused } from './receipts/open-receipt';
export { receiptKeyEntries } from './receipts/receipt-key-entries.sql';
export { Receipts } from './receipts/receipts';
export { type ReceiptOutcome, verifyReceipt } from './receipts/verify-receipt';
export { RequestOrigins } from './origins/request-origins';
