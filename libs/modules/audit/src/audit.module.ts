import { Module } from '@nestjs/common';
import { AuditEventHandler } from './trail/audit-event.query';
import { AuditTrailHandler } from './trail/audit-trail.query';
import { AuditController } from './trail/trail.controller';
import { AuditResolver } from './trail/trail.resolver';

/** Reading the audit trail. */
@Module({
  controllers: [AuditController],
  providers: [AuditTrailHandler, AuditEventHandler, AuditResolver],
})
export class AuditModule {}
