import type { Caller } from '@holdfast/kernel';
import { CallerOf, Needs, withoutDeadline } from '@holdfast/http';
import { givePermitBack } from '@holdfast/limits';
import { Controller, Get, Header, Headers, Query, Res, StreamableFile } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { FollowEvents } from './follow-events.query';
import { serverSentEvents } from './server-sent-events';
import { tailInput } from './tail-filter';

const { after, from, stream, types, actor } = tailInput.shape;

const tailQuery = z.strictObject({
  after: after.meta({
    description: 'The `id` of the event behind which to begin. `Last-Event-ID` goes before it.',
  }),
  from: from.meta({ description: 'Where to begin without a cursor.' }),
  types: z
    .string()
    .max(4_000)
    .transform((names) => names.split(','))
    .pipe(types.unwrap())
    .optional()
    .meta({
      description:
        'Only events of these types, 20 at most, with commas between; `ledger.*` is all that begin so.',
      examples: ['ledger.*,tenants.tenant.changed'],
    }),
  stream: stream.meta({
    description: 'Only events of this stream.',
    examples: ['ledger.transfer/019a0000-0000-7000-8000-000000000001'],
  }),
  actor: actor.meta({ description: 'Only what this actor did.' }),
});

const DESCRIPTION = `Server-sent events without an end. Each has a cursor as its \`id\`, the type as its \`event\`, and the event as
a CloudEvent in its \`data\`, in the version in which it was recorded. Events come in the order of the tenant's log, each once,
also to a client that lost its stream and comes again with \`Last-Event-ID\`, to this process or to another.

Every 15 seconds in which nothing comes there is a comment, with an \`id\` that leads past what was filtered out. A stream ends with an
event \`problem\` within five seconds of its credential's end, and when it is not read for 30 seconds. \`retry\` says when to come again. 409
\`events.log_changed\` says that the database was restored, or failed over to another server: begin anew, events keep their ids. Read it with
\`curl -N\`, or by \`fetch\`: a page that waits for the end of an answer, as this one does, shows nothing.`;

const EXAMPLE = `retry: 1204

: nothing since
id: 7mdZ8Zt1M2WQAQCB8i0AAA

id: tZ1r9OeIfz2aAQCC8i0AAA
event: ledger.account.opened
data: {"specversion":"1.0","id":"019a0000-0000-7000-8000-000000000001","source":"/tenants/019a0000-0000-7000-8000-000000000002","type":"ledger.account.opened","subject":"ledger.account/019a0000-0000-7000-8000-000000000003","time":"2026-11-26T12:00:00.123456Z","datacontenttype":"application/json","tenantid":"019a0000-0000-7000-8000-000000000002","streamversion":"1","schemaversion":1,"actor":"api_key:019a0000-0000-7000-8000-000000000004","correlationid":"019a0000-0000-7000-8000-000000000005","data":{"asset":"EUR/2","normalBalance":"credit","limit":"none"}}

`;

@ApiTags('events')
@Controller('v1/events/stream')
export class TailController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('events:read')
  @ApiOperation({ summary: 'Follow events as they come', description: DESCRIPTION })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'The `id` that came last; sent by clients that come again.',
    schema: { type: 'string' },
  })
  @ApiOkResponse({
    description: 'The stream.',
    content: { 'text/event-stream': { schema: { type: 'string' }, example: EXAMPLE } },
  })
  @Header('cache-control', 'no-store')
  @Header('x-accel-buffering', 'no')
  async follow(
    @CallerOf() caller: Caller,
    @Query({ schema: tailQuery }) query: z.output<typeof tailQuery>,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const { request } = reply;
    const readmit = request.readmit ?? (() => Promise.resolve(caller));
    const input = lastEventId ? { ...query, after: lastEventId } : query;
    const events = await this.queries.execute(new FollowEvents(withoutDeadline(caller), input, readmit));
    givePermitBack(request);
    return new StreamableFile(serverSentEvents(events, reply), { type: 'text/event-stream' });
  }
}
