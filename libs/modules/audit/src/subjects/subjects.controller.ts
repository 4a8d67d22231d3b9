import { type Caller, idSchema } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { EraseSubject } from './erase-subject.command';
import { Subject, subjectView, type SubjectView } from './subject.query';

@ApiTags('audit')
@Controller('v1/audit/subjects')
export class SubjectsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get(':id')
  @Needs('personal:read')
  @ApiOperation({ summary: 'Show how much is held of a person, and how far their erasure is' })
  @ApiOkResponse({ standardSchema: subjectView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<SubjectView> {
    return this.queries.execute(new Subject(caller, { id }));
  }

  @Post(':id/erase')
  @Needs('personal:write')
  @HttpCode(202)
  @ApiOperation({ summary: 'Erase what is held of a person; every proof of the log still holds' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: subjectView })
  erase(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<SubjectView> {
    return this.commands.execute(new EraseSubject(caller, { id }, idempotency));
  }
}
