import type { Caller, Scope } from '@holdfast/kernel';
import { Command, Query } from '@nestjs/cqrs';
import './trail.aggregates';

/** The idempotency key of one request. Whoever answers from the store sets `replayed`, and the transport says so. */
export interface Idempotency {
  readonly key: string;
  replayed: boolean;
}

/**
 * A change that a caller asks for. `scope` is what the caller has to hold; the bus refuses the rest before any handler
 * runs. `Answer` has the shape that goes over the wire, because it is stored beside the idempotency key.
 */
export abstract class TenantCommand<Input, Answer> extends Command<Answer> {
  abstract readonly scope: Scope;
  /** Another scope that is enough for it. */
  readonly otherScope?: Scope;

  constructor(
    readonly caller: Caller,
    readonly input: Input,
    readonly idempotency?: Idempotency,
  ) {
    super();
  }
}

/** A question that a caller asks about their own tenant. */
export abstract class TenantQuery<Input, Answer> extends Query<Answer> {
  abstract readonly scope: Scope;

  constructor(
    readonly caller: Caller,
    readonly input: Input,
  ) {
    super();
  }
}

/** What a command or query answers. */
export type AnswerOf<Message> =
  Message extends Command<infer Answer> ? Answer : Message extends Query<infer Answer> ? Answer : never;
