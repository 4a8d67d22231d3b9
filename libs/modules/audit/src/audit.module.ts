import { Module } from '@nestjs/common';
import { AuditEventHandler } from './audit-event.query';
import { AuditTrailHandler } from './audit-trail.query';
import { AuditController } from './audit.controller';
import { AuditResolver } from './audit.resolver';

/** Reading the audit trail. */
@Module({
  controllers: [AuditController],
  providers: [AuditTrailHandler, AuditEventHandler, AuditResolver],
})
export class AuditModule {}
