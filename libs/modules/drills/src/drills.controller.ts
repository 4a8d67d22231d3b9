import { POLICIES, type PolicyName } from '@holdfast/config';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import type { Idempotency } from '@holdfast/cqrs';
import { OperatorOnly } from '@holdfast/identity';
import { listPolicyStates } from '@holdfast/resilience';
import { Body, Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DrillNotConfirmed } from './drills.errors';
import { DRILLS_OPTIONS, type DrillsOptions } from './drills-options';

const policySchema = z.enum(Object.keys(POLICIES) as [PolicyName, ...PolicyName[]]);

/** What POST /v1/operator/drills takes. Five minutes at most: who wants more begins another, and looks in between. */
const drillInput = z.strictObject({
  policy: policySchema.meta({ description: 'Whose calls it is done to.' }),
  does: z.enum(['open', 'fail', 'slow']).meta({
    description: '`open`: nothing is sent. `fail`: every attempt fails. `slow`: every attempt begins late.',
  }),
  seconds: z.int().min(1).max(300).meta({ description: 'For how long.' }),
  delayMs: z.int().min(1).max(60_000).default(5_000).meta({ description: 'How late, of `slow`.' }),
  confirm: z.string().optional().meta({ description: 'The policy once more; needed in production.' }),
});

const policyView = z.object({
  name: z.string(),
  part: z.string().optional().meta({ description: 'Which of several of the name.' }),
  circuit: z.enum(['closed', 'half_open', 'open']),
  circuitsOpen: z.int(),
  atWork: z.int(),
  waiting: z.int(),
  calls: z.record(z.string(), z.int()).meta({ description: 'Since the process began, by how they ended.' }),
  drill: z.enum(['open', 'fail', 'slow']).optional(),
});
const policiesView = z.object({ data: z.array(policyView) });

/** The dependencies of this process and how they stand, and drills of those of all processes. */
@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator/drills')
export class DrillsController {
  constructor(@Inject(DRILLS_OPTIONS) private readonly options: DrillsOptions) {}

  @Get()
  @ApiOperation({ summary: 'List the policies of this process and what is drilled' })
  @ApiOkResponse({ standardSchema: policiesView })
  list(): z.output<typeof policiesView> {
    return { data: [...listPolicyStates()] };
  }

  @Post()
  @HttpCode(202)
  @ApiOperation({
    summary: 'Make a dependency fail, or slow, for a while',
    description:
      'Of all processes: of this one at once, of other API processes and workers within two seconds, of ingests within seven. The answer shows the policies of this process, which may have none of the name.',
  })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: policiesView })
  async begin(
    @Req() request: FastifyRequest,
    @IdempotencyKey() _idempotency: Idempotency,
    @Body({ schema: drillInput }) { policy, does, seconds, delayMs, confirm }: z.output<typeof drillInput>,
  ): Promise<z.output<typeof policiesView>> {
    if (this.options.isProduction && confirm !== policy) throw new DrillNotConfirmed();
    await this.options.drills.begin({ policy, does, delayMs, seconds }, request.operator ?? '');
    request.log.warn({ operator: request.operator, policy, does, seconds }, 'A drill has begun.');
    return { data: listPolicyStates().filter(({ name }) => name === policy) };
  }
}
