import { type Idempotency, Cursors, page, pageInput, pageOf, type Page } from '@holdfast/cqrs';
import { OperatedGroups } from '@holdfast/events';
import { ApiIdempotencyKey, IdempotencyKey } from '@holdfast/http';
import { OperatorOnly, Operators } from '@holdfast/identity';
import { type Caller, idSchema } from '@holdfast/kernel';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  consumerGroupDetailsView,
  consumerGroupView,
  type ConsumerGroupView,
  parkedKeyView,
  replayView,
  showGroup,
  showGroupDetails,
  showParkedKey,
  showReplay,
} from './group-view';
import {
  groupSchema,
  reasonSchema,
  releasedKeyView,
  ReleaseParkedKey,
  releaseParkedKeyInput,
} from './release-parked-key.command';
import { replayFrom, replayFromSchema } from './replay-from';
import { ReplayTenant } from './replay-tenant.command';

const groupsView = z.object({ data: z.array(consumerGroupView) });
const reasonInput = z.strictObject({ reason: reasonSchema });
const replayInput = z.strictObject({
  from: replayFromSchema,
  tenantId: idSchema.optional().meta({ description: 'For this tenant only; for all where it is left out.' }),
  reason: reasonSchema,
});
const parkedKeysInput = z.strictObject({
  ...pageInput,
  state: z.enum(['retrying', 'quarantined', 'releasing']).optional(),
  tenantId: idSchema.optional(),
});
const releaseInput = releaseParkedKeyInput.omit({ group: true }).extend({ tenantId: idSchema });

const cursors = new Cursors('delivery.parked_keys', z.tuple([z.string(), z.string()]));
/** The list is of all tenants, and so are its cursors. */
const NOBODY = { tenantId: '' } as Caller;

@ApiTags('operator')
@OperatorOnly()
@Controller('v1/operator/events/groups')
export class GroupsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly groups: OperatedGroups,
    private readonly operators: Operators,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List consumer groups with their lag' })
  @ApiOkResponse({ standardSchema: groupsView })
  async list(): Promise<z.output<typeof groupsView>> {
    return { data: (await this.groups.list()).map(showGroup) };
  }

  @Get(':group')
  @ApiOperation({ summary: 'Show a consumer group and what operators did to it' })
  @ApiOkResponse({ standardSchema: consumerGroupDetailsView })
  async show(
    @Param('group', { schema: groupSchema }) group: string,
  ): Promise<z.output<typeof consumerGroupDetailsView>> {
    return showGroupDetails(await this.groups.get(group), await this.groups.actions(group));
  }

  @Post(':group/pause')
  @HttpCode(200)
  @ApiOperation({ summary: 'Stop the deliveries of a group, in all processes' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: consumerGroupView })
  async pause(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('group', { schema: groupSchema }) group: string,
    @Body({ schema: reasonInput }) { reason }: z.output<typeof reasonInput>,
  ): Promise<ConsumerGroupView> {
    return showGroup(
      await this.groups.pause(group, { actor: actorOf(request), reason, request: idempotency }),
    );
  }

  @Post(':group/resume')
  @HttpCode(200)
  @ApiOperation({ summary: 'Let a paused group go on where it stood' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: consumerGroupView })
  async resume(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('group', { schema: groupSchema }) group: string,
    @Body({ schema: reasonInput }) { reason }: z.output<typeof reasonInput>,
  ): Promise<ConsumerGroupView> {
    return showGroup(
      await this.groups.resume(group, { actor: actorOf(request), reason, request: idempotency }),
    );
  }

  @Post(':group/replay')
  @HttpCode(200)
  @ApiOperation({ summary: 'Deliver to a group again what it has had, for one tenant or for all' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: replayView })
  async replay(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('group', { schema: groupSchema }) group: string,
    @Body({ schema: replayInput }) { from, tenantId, reason }: z.output<typeof replayInput>,
  ): Promise<z.output<typeof replayView>> {
    if (tenantId === undefined) {
      const acting = { actor: actorOf(request), reason, request: idempotency };
      return showReplay(group, null, await this.groups.replay(group, replayFrom(from), acting));
    }
    const start = await this.groups.startFor(group, replayFrom(from));
    const caller = await this.operators.callerIn(tenantId, request);
    return this.commands.execute(new ReplayTenant(caller, { group, from, reason }, start, idempotency));
  }

  @Get(':group/parked-keys')
  @ApiOperation({ summary: 'List the keys that a group has set aside' })
  @ApiOkResponse({ standardSchema: pageOf(parkedKeyView) })
  async parkedKeys(
    @Param('group', { schema: groupSchema }) group: string,
    @Query({ schema: parkedKeysInput }) { limit, after, state, tenantId }: z.output<typeof parkedKeysInput>,
  ): Promise<Page<z.output<typeof parkedKeyView>>> {
    const behind = cursors.decode(NOBODY, after);
    const last = behind && { group, tenantId: behind[0], key: behind[1] };
    const found = await this.groups.parkedKeys({ group, tenantId, state, after: last }, limit + 1);
    return page(found, limit, showParkedKey, (row) => cursors.encode(NOBODY, [row.tenantId, row.key]));
  }

  @Post(':group/parked-keys/release')
  @HttpCode(200)
  @ApiOperation({ summary: 'Let a quarantined key go on, with or without the event that failed' })
  @ApiIdempotencyKey()
  @ApiOkResponse({ standardSchema: releasedKeyView })
  async release(
    @Req() request: FastifyRequest,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('group', { schema: groupSchema }) group: string,
    @Body({ schema: releaseInput }) { tenantId, ...input }: z.output<typeof releaseInput>,
  ): Promise<z.output<typeof releasedKeyView>> {
    const caller = await this.operators.callerIn(tenantId, request);
    return this.commands.execute(new ReleaseParkedKey(caller, { group, ...input }, idempotency));
  }
}

function actorOf({ operator }: FastifyRequest): string {
  return operator ?? 'operator';
}
