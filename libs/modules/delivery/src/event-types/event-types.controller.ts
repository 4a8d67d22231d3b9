import { hash } from 'node:crypto';
import type { Caller } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Header, Headers, Param, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { eventTypeView, type EventTypeView } from './event-type-view';
import { EventTypeByName } from './event-type.query';
import { EventTypes, eventTypesInput } from './event-types.query';

const eventTypesView = z.object({ data: z.array(eventTypeView) });

const typeSchema = z
  .string()
  .max(200)
  .meta({ description: 'The name of the type.', examples: ['ledger.transfer.posted'] });

/** They change when a release does. Ten minutes of an old list harm nobody: a reader ignores what it does not know. */
const CACHED = 'private, max-age=600';

const ApiIfNoneMatch = (): MethodDecorator =>
  ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'The ETag of the answer that you have. 304, without a body, when it is still right.',
  });

const ApiNotModified = (): MethodDecorator =>
  ApiResponse({ status: 304, description: 'As you have it already.' });

@ApiTags('events')
@Controller('v1/events/types')
export class EventTypesController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('events:read')
  @ApiOperation({ summary: 'List the types of events, with JSON Schema and examples' })
  @ApiOkResponse({ standardSchema: eventTypesView })
  @ApiIfNoneMatch()
  @ApiNotModified()
  @Header('cache-control', CACHED)
  @Header('vary', 'authorization')
  async list(
    @CallerOf() caller: Caller,
    @Query({ schema: eventTypesInput }) input: z.output<typeof eventTypesInput>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.output<typeof eventTypesView> | undefined> {
    const data = await this.queries.execute(new EventTypes(caller, input));
    return unlessKnown(reply, known, { data: [...data] });
  }

  @Get(':type')
  @Needs('events:read')
  @ApiOperation({ summary: 'Read one type of events' })
  @ApiOkResponse({ standardSchema: eventTypeView })
  @ApiIfNoneMatch()
  @ApiNotModified()
  @Header('cache-control', CACHED)
  @Header('vary', 'authorization')
  async read(
    @CallerOf() caller: Caller,
    @Param('type', { schema: typeSchema }) type: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EventTypeView | undefined> {
    return unlessKnown(reply, known, await this.queries.execute(new EventTypeByName(caller, { type })));
  }
}

/** The answer with its ETag, or 304 and nothing where the client has it. */
function unlessKnown<T extends object>(
  reply: FastifyReply,
  known: string | undefined,
  answer: T,
): T | undefined {
  const etag = `"${hash('sha256', JSON.stringify(answer), 'base64url').slice(0, 22)}"`;
  void reply.header('etag', etag);
  const tags = known?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!tags?.includes(etag) && known?.trim() !== '*') return answer;
  void reply.status(304);
  return undefined;
}
