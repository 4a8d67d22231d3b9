import { Module } from '@nestjs/common';
import { AuditChainHandler } from './chain/audit-chain.query';
import { AuditFeedHandler } from './feed/audit-feed.query';
import { FeedFollowers } from './feed/feed-followers';
import { FeedController } from './feed/feed.controller';
import { AuditHistoryHandler } from './history/audit-history.query';
import { HistoryController } from './history/history.controller';
import { HistoryResolver } from './history/history.resolver';
import { AuditEventHandler } from './trail/audit-event.query';
import { AuditTrailHandler } from './trail/audit-trail.query';
import { AuditController } from './trail/trail.controller';
import { AuditResolver } from './trail/trail.resolver';
import { VerifierFileHandler } from './verification/verifier-file.query';
import { VerifierController } from './verification/verifier.controller';

/** Reading the audit trail. */
@Module({
  controllers: [AuditController, HistoryController, FeedController, VerifierController],
  providers: [
    AuditTrailHandler,
    AuditEventHandler,
    AuditResolver,
    AuditChainHandler,
    AuditHistoryHandler,
    HistoryResolver,
    FeedFollowers,
    AuditFeedHandler,
    VerifierFileHandler,
  ],
})
export class AuditModule {}
