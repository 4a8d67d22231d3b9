export { Batches } from './batches';
export { closeHttpApplication, createHttpApplication, type HttpOptions } from './application';
export {
  connectionOf,
  type Connection,
  type Edge,
  PageArgs,
  PageInfo,
  pageInputOf,
  toConnection,
} from './connections';
export { dto, type Dto, represent } from './dto';
export { graphqlModule } from './graphql';
export { MalformedBody, parseStrictJson } from './json-body';
export { GraphQLJSONObject } from './json-scalar';
export { ApiIdempotencyKey } from './openapi';
export { isOpenWhileSuspended, isPublic, Needs, OpenWhileSuspended, Public } from './permission';
export { type Problem, problemOf, type Refusal, refusalOf } from './problem';
export { CallerOf, originOf, PrincipalOf, replyOf, requestOf, withoutDeadline } from './request';
export { IdempotencyKey, IdempotencyKeyMissing, idempotencyOf } from './request';
export { SchemaPipe } from './schema.pipe';
export { isSubscription, subscribed, type SubscriptionContext } from './subscriptions';
export { ApiIfMatch, IfMatch, Versioned, VersionMissing } from './version';
