export { type Caller, type Scope, holds } from './caller';
export {
  DomainError,
  type ErrorKind,
  Forbidden,
  NotFound,
  Conflict,
  InvalidInput,
  type InputFault,
} from './domain-error';
export { deterministicId, idSchema, newId } from './ids';
export { instantSchema } from './instants';
export { amountSchema, assetSchema } from './money';
export { encodeJson } from './json';
export { fullJitterMs } from './backoff';
