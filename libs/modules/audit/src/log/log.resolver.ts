import { type Caller, idSchema } from '@holdfast/kernel';
import { CallerOf, connectionOf, dto, Needs, PageArgs, pageInputOf, toConnection } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { LogCheckpoint } from './checkpoint.query';
import { LogConsistency } from './consistency.query';
import { LogEpochs } from './epochs.query';
import { ProofOfEvent } from './event-proof.query';
import { epochSchema } from './log-epoch';
import {
  checkpointView,
  consistencyView,
  epochView,
  proofView,
  showCheckpoint,
  showConsistency,
  showProof,
} from './log-views';

/** A Float, since GraphQL's integers end at 2^31 and a log does not. */
const sizeSchema = z
  .number()
  .min(0)
  .refine((size) => Number.isSafeInteger(size), 'A size is a whole number.');

@ObjectType()
export class AuditCheckpoint extends dto(checkpointView, 'output') {}

@ObjectType()
export class AuditProof extends dto(proofView, 'output') {}

@ObjectType()
export class AuditConsistency extends dto(consistencyView, 'output') {}

@ObjectType()
export class AuditEpoch extends dto(epochView, 'output') {}

@ObjectType()
export class AuditEpochConnection extends connectionOf(AuditEpoch) {}

@ArgsType()
export class AuditCheckpointArgs extends dto(
  z.strictObject({ epoch: epochSchema.nullish(), witnessed: z.boolean().nullish() }),
  'args',
) {}

@ArgsType()
export class AuditProofArgs extends dto(
  z.strictObject({ eventId: idSchema, witnessed: z.boolean().nullish() }),
  'args',
) {}

@ArgsType()
export class AuditConsistencyArgs extends dto(
  z.strictObject({ fromSize: sizeSchema, toSize: sizeSchema.nullish(), epoch: epochSchema.nullish() }),
  'args',
) {}

@Resolver()
export class LogResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => AuditCheckpoint, { description: 'The newest signed checkpoint of the log.' })
  @Needs('audit:read')
  async auditCheckpoint(
    @CallerOf() caller: Caller,
    @Args() { epoch, witnessed }: AuditCheckpointArgs,
  ): Promise<AuditCheckpoint> {
    const choice = { epoch: epoch ?? undefined, witnessed: witnessed ?? undefined };
    return showCheckpoint(await this.queries.execute(new LogCheckpoint(caller, choice)));
  }

  @Query(() => AuditProof, { description: 'The proof that an event is in the log.' })
  @Needs('audit:read')
  async auditProof(
    @CallerOf() caller: Caller,
    @Args() { eventId: id, witnessed }: AuditProofArgs,
  ): Promise<AuditProof> {
    const choice = { id, witnessed: witnessed ?? undefined };
    return showProof(await this.queries.execute(new ProofOfEvent(caller, choice)));
  }

  @Query(() => AuditConsistency, { description: 'The proof that the log has only grown between two sizes.' })
  @Needs('audit:read')
  async auditConsistency(
    @CallerOf() caller: Caller,
    @Args() { fromSize, toSize, epoch }: AuditConsistencyArgs,
  ): Promise<AuditConsistency> {
    const choice = { from: fromSize, to: toSize ?? undefined, epoch: epoch ?? undefined };
    return showConsistency(await this.queries.execute(new LogConsistency(caller, choice)));
  }

  @Query(() => AuditEpochConnection, { description: 'The epochs of the log, newest first.' })
  @Needs('audit:read')
  async auditEpochs(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<AuditEpochConnection> {
    return toConnection(await this.queries.execute(new LogEpochs(caller, pageInputOf(args))));
  }
}
