import { type Caller, idSchema } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ProofOfEvent } from './event-proof.query';
import { checkpointInput } from './log.controller';
import { asksForJson, sendText, varyByAccept } from './log-answers';
import { proofFile } from './proof-file';
import { proofView, type ProofView, showProof } from './log-views';

/** The proof that one event is in the tenant's log. */
@ApiTags('audit')
@Controller('v1/audit/events/:id/proof')
export class ProofController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({
    summary:
      'The proof that an event is in the log, as one file that stands by itself (c2sp.org/tlog-proof); its parts for `Accept: application/json`',
  })
  @ApiProduces('text/plain', 'application/json')
  @ApiOkResponse({ standardSchema: proofView })
  async proof(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Query({ schema: checkpointInput }) input: z.output<typeof checkpointInput>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProofView | string> {
    const proof = await this.queries.execute(new ProofOfEvent(caller, { ...input, id }));
    varyByAccept(reply);
    return asksForJson(request) ? showProof(proof) : sendText(reply, proofFile(proof));
  }
}
