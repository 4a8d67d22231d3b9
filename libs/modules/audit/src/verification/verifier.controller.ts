import type { Caller } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, StreamableFile } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { VerifierFile } from './verifier-file.query';

@ApiTags('audit')
@Controller('v1/audit/verifier')
export class VerifierController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({
    summary:
      'Download the program that verifies audit bundles and proofs: one file for Node, which needs no server',
  })
  @ApiProduces('text/javascript')
  @ApiOkResponse({ schema: { type: 'string' } })
  async download(@CallerOf() caller: Caller): Promise<StreamableFile> {
    const file = await this.queries.execute(new VerifierFile(caller, {}));
    return new StreamableFile(file, {
      type: 'text/javascript; charset=utf-8',
      disposition: 'attachment; filename="holdfast-verify.mjs"',
      length: file.length,
    });
  }
}
