import { type Caller, idSchema } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { z } from 'zod';
import { AddWitness } from './add-witness.command';
import { RemoveWitness } from './remove-witness.command';
import { addWitnessInput, witnessView, type WitnessView } from './witness';
import { Witnesses } from './witnesses.query';

const witnessesView = z.object({ data: z.array(witnessView) });

/** Who cosigns the checkpoints of the tenant's log. */
@ApiTags('audit')
@Controller('v1/audit/witnesses')
export class WitnessesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'List who cosigns the log, and what has come of it' })
  @ApiOkResponse({ standardSchema: witnessesView })
  async list(@CallerOf() caller: Caller): Promise<{ readonly data: readonly WitnessView[] }> {
    return { data: await this.queries.execute(new Witnesses(caller, {})) };
  }

  @Post()
  @Needs('audit:write')
  @ApiOperation({ summary: 'Have a witness cosign the checkpoints of the log (c2sp.org/tlog-witness)' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: witnessView })
  add(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: addWitnessInput }) input: z.output<typeof addWitnessInput>,
  ): Promise<WitnessView> {
    return this.commands.execute(new AddWitness(caller, input, idempotency));
  }

  @Delete(':id')
  @Needs('audit:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Offer a witness nothing more; what it has cosigned stays' })
  @ApiNoContentResponse()
  async remove(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    await this.commands.execute(new RemoveWitness(caller, { id }));
  }
}
