export { AuditEvent } from './trail/audit-event.query';
export { AuditTrail } from './trail/audit-trail.query';
export { AuditModule } from './audit.module';
export { Sealer, type SealerOptions } from './sealing/sealer';
