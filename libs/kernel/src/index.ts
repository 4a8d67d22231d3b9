export { type Caller, type Scope, holds } from './caller';
export { type Clock, systemClock } from './clock';
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
export { amountSchema, assetSchema, AMOUNT_MAX } from './money';
export { encodeJson } from './json';
export { fullJitterMs } from './backoff';
