import type { Caller } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import type { TailInput } from './tail-filter';
import type { TailStream } from './tail-stream';
import { TailStreams } from './tail-streams';

/**
 * A stream of the tenant's events, as they come. `readmit` admits the caller anew, as long as the stream runs. Throws
 * CursorInvalid, LogChanged, TooManyStreams or StreamsUnavailable.
 */
export class FollowEvents extends TenantQuery<TailInput, TailStream> {
  readonly scope = 'events:read';

  constructor(
    caller: Caller,
    input: TailInput,
    readonly readmit: () => Promise<Caller>,
  ) {
    super(caller, input);
  }
}

@QueryHandler(FollowEvents)
export class FollowEventsHandler implements IQueryHandler<FollowEvents> {
  constructor(private readonly streams: TailStreams) {}

  execute({ caller, input, readmit }: FollowEvents): Promise<TailStream> {
    return this.streams.start({ caller, readmit }, input);
  }
}
