import { type Caller, encodeJson } from '@holdfast/kernel';
import { CallerOf, Needs, withoutDeadline } from '@holdfast/http';
import { givePermitBack } from '@holdfast/limits';
import { Controller, Get, Header, Headers, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { AuditFeed, auditFeedInput, auditFeedView, type AuditFeedView } from './audit-feed.query';

const NDJSON = 'application/x-ndjson';

const DESCRIPTION = `For a SIEM: every event of the tenant once and in the order of its sealed log, oldest first, as soon as a signed
checkpoint covers it, which takes seconds. Read it from the beginning, keep \`nextCursor\` (or the \`cursor\` of the last line) with what you
have stored, and go on behind it: nothing is dropped, however long you were away. With \`wait\` the answer comes as soon as there is something.

With \`Accept: ${NDJSON}\` the answer is one JSON object a line, and the next cursor is in \`Holdfast-Next-Cursor\`. Where the retention has removed
events, a line says which and how many. After a restore of the database a new epoch begins, and events that stood behind the last checkpoint
that it has come again with the same ids.`;

@ApiTags('audit')
@Controller('v1/audit/feed')
export class FeedController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'Read on in the sealed log, oldest first', description: DESCRIPTION })
  @ApiHeader({
    name: 'Accept',
    required: false,
    description: `\`${NDJSON}\` for lines.`,
    schema: { type: 'string' },
  })
  @ApiOkResponse({ standardSchema: auditFeedView })
  @Header('cache-control', 'no-store')
  async read(
    @CallerOf() caller: Caller,
    @Query({ schema: auditFeedInput }) input: z.output<typeof auditFeedInput>,
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AuditFeedView | string> {
    const { request } = reply;
    // What waits holds a place among the followers, and none that other requests need.
    if (input.wait > 0) givePermitBack(request);
    const readmit = request.readmit ?? (() => Promise.resolve(caller));
    const feed = await this.queries.execute(new AuditFeed(withoutDeadline(caller), input, readmit));
    void reply.header('holdfast-next-cursor', feed.nextCursor);
    if (!accept?.toLowerCase().includes(NDJSON)) return feed;
    void reply.type(NDJSON);
    return feed.data.map((line) => `${encodeJson(line)}\n`).join('');
  }
}
