export { hasActed } from './acting';
export { MessagesModule } from './cqrs.module';
export { IdempotencyInFlight, IdempotencyKeyReused, StoredRefusal } from './idempotency.errors';
export { type AnswerOf, type Idempotency, TenantCommand, TenantQuery } from './messages';
export {
  CursorInvalid,
  Cursors,
  lookedAt,
  type LookedAt,
  page,
  Page,
  pageInput,
  pageOf,
  wholeNumber,
} from './pages';
export { type Reading, Readings } from './readings';
export { Tallies } from './tallies';
export { TenantCommandHandler } from './tenant-command-handler';
