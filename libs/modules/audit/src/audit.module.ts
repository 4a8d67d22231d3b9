import { Module } from '@nestjs/common';
import { AuditEventHandler } from './trail/audit-event.query';
import { AuditTrailHandler } from './trail/audit-trail.query';
import { AuditController } from './trail/trail.controller';
import { AuditResolver } from './trail/trail.resolver';
import { VerifierFileHandler } from './verification/verifier-file.query';
import { VerifierController } from './verification/verifier.controller';

/** Reading the audit trail. */
@Module({
  controllers: [AuditController, VerifierController],
  providers: [AuditTrailHandler, AuditEventHandler, AuditResolver, VerifierFileHandler],
})
export class AuditModule {}
