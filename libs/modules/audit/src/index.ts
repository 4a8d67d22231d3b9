export { AuditEvent } from './audit-event.query';
export { AuditTrail } from './audit-trail.query';
export { AuditModule } from './audit.module';
