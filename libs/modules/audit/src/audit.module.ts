import { Module } from '@nestjs/common';
import { AuditExportFileHandler } from './exports/audit-export-file.query';
import './exports/audit-exports.aggregates';
import { AuditExportsController } from './exports/audit-exports.controller';
import { AuditExportByIdHandler, AuditExportsHandler } from './exports/audit-exports.query';
import { AuditExportsResolver } from './exports/audit-exports.resolver';
import { RequestAuditExportHandler } from './exports/request-audit-export.command';
import { AuditChainHandler } from './chain/audit-chain.query';
import { AuditFeedHandler } from './feed/audit-feed.query';
import { FeedFollowers } from './feed/feed-followers';
import { FeedController } from './feed/feed.controller';
import { AuditHistoryHandler } from './history/audit-history.query';
import { HistoryController } from './history/history.controller';
import { HistoryResolver } from './history/history.resolver';
import { LogCheckpointHandler } from './log/checkpoint.query';
import { LogConsistencyHandler } from './log/consistency.query';
import { EntryBundleHandler } from './log/entry-bundle.query';
import { LogEpochsHandler } from './log/epochs.query';
import { ProofOfEventHandler } from './log/event-proof.query';
import { EpochLogController, LogController } from './log/log.controller';
import { LogResolver } from './log/log.resolver';
import { LogKeyHandler } from './log/log-key.query';
import { LogTileHandler } from './log/log-tile.query';
import { ProofController } from './log/proof.controller';
import { ReceiptKeyByIdHandler } from './receipts/receipt-key.query';
import { ReceiptKeysController } from './receipts/receipt-keys.controller';
import { ReceiptKeyListHandler } from './receipts/receipt-keys.query';
import { ReceiptKeysResolver } from './receipts/receipt-keys.resolver';
import './origins/origins-of-subjects.sql';
import { OriginWatch } from './origins/origin-watch';
import { RequestOrigins } from './origins/request-origins';
import './holds/holds.aggregates';
import { LegalHoldsController } from './holds/legal-holds.controller';
import { LegalHoldByIdHandler, LegalHoldsHandler } from './holds/legal-holds.query';
import { LegalHoldsResolver } from './holds/legal-holds.resolver';
import { LiftLegalHoldHandler } from './holds/lift-legal-hold.command';
import { PlaceLegalHoldHandler } from './holds/place-legal-hold.command';
import { AuditRetentionHandler } from './retention/audit-retention.query';
import { ChangeAuditRetentionHandler } from './retention/change-audit-retention.command';
import './retention/retention.aggregates';
import { RetentionController } from './retention/retention.controller';
import { RetentionResolver } from './retention/retention.resolver';
import { EraseSubjectHandler } from './subjects/erase-subject.command';
import { SubjectHandler } from './subjects/subject.query';
import './subjects/subjects.aggregates';
import { SubjectsController } from './subjects/subjects.controller';
import { SubjectsResolver } from './subjects/subjects.resolver';
import { AuditStateHandler } from './state/audit-state.query';
import { StateController } from './state/state.controller';
import { StateResolver } from './state/state.resolver';
import { AuditEventHandler } from './trail/audit-event.query';
import { AuditTrailHandler } from './trail/audit-trail.query';
import { AuditController } from './trail/trail.controller';
import { AuditResolver } from './trail/trail.resolver';
import './verification/log.aggregates';
import { VerifierFileHandler } from './verification/verifier-file.query';
import { VerifierController } from './verification/verifier.controller';

/** Reading the audit trail, and the log that proves it. */
@Module({
  controllers: [
    AuditController,
    HistoryController,
    FeedController,
    StateController,
    LogController,
    EpochLogController,
    ProofController,
    AuditExportsController,
    ReceiptKeysController,
    VerifierController,
    LegalHoldsController,
    SubjectsController,
    RetentionController,
  ],
  providers: [
    RequestOrigins,
    OriginWatch,
    AuditTrailHandler,
    AuditEventHandler,
    AuditResolver,
    AuditChainHandler,
    AuditHistoryHandler,
    HistoryResolver,
    FeedFollowers,
    AuditFeedHandler,
    LogCheckpointHandler,
    LogConsistencyHandler,
    EntryBundleHandler,
    LogEpochsHandler,
    LogKeyHandler,
    LogTileHandler,
    ProofOfEventHandler,
    LogResolver,
    AuditStateHandler,
    StateResolver,
    VerifierFileHandler,
    AuditExportsHandler,
    AuditExportByIdHandler,
    AuditExportFileHandler,
    AuditExportsResolver,
    RequestAuditExportHandler,
    ...[ReceiptKeyByIdHandler, ReceiptKeyListHandler, ReceiptKeysResolver],
    LegalHoldsHandler,
    LegalHoldByIdHandler,
    PlaceLegalHoldHandler,
    LiftLegalHoldHandler,
    LegalHoldsResolver,
    SubjectHandler,
    EraseSubjectHandler,
    SubjectsResolver,
    ...[AuditRetentionHandler, ChangeAuditRetentionHandler, RetentionResolver],
  ],
})
export class AuditModule {}
