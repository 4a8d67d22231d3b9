export { AuditExportTask } from './exports/audit-export-task';
export { RetentionTask } from './retention/retention-task';
export { SubjectErasureTask } from './subjects/subject-erasure-task';
export { VerificationTask } from './verification/verification-task';
