import { type Caller, idSchema } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import {
  ApiIdempotencyKey,
  ApiIfMatch,
  CallerOf,
  IdempotencyKey,
  IfMatch,
  Needs,
  Versioned,
} from '@holdfast/http';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { z } from 'zod';
import { ChangeIssuer, changeIssuerInput } from './change-issuer.command';
import { AddIssuer, addIssuerInput } from './add-issuer.command';
import { RemoveIssuer } from './remove-issuer.command';
import { issuerView, type IssuerView } from './issuer';
import { Issuers, issuersView } from './issuers.query';

@ApiTags('identity')
@Controller('v1/issuers')
export class IssuersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('issuers:read')
  @ApiOperation({ summary: 'List the issuers whose claims bring people in' })
  @ApiOkResponse({ standardSchema: issuersView })
  list(@CallerOf() caller: Caller): Promise<z.output<typeof issuersView>> {
    return this.queries.execute(new Issuers(caller, {}));
  }

  @Post()
  @Needs('issuers:write')
  @Versioned()
  @ApiOperation({ summary: 'Let the claims of an issuer bring people in' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: issuerView })
  create(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: addIssuerInput }) input: z.output<typeof addIssuerInput>,
  ): Promise<IssuerView> {
    return this.commands.execute(new AddIssuer(caller, input, idempotency));
  }

  @Get(':id')
  @Needs('issuers:read')
  @Versioned()
  @ApiOperation({ summary: 'Show an issuer' })
  @ApiOkResponse({ standardSchema: issuerView })
  async show(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<IssuerView | undefined> {
    const { data } = await this.queries.execute(new Issuers(caller, { id }));
    return data[0];
  }

  @Patch(':id')
  @Needs('issuers:write')
  @Versioned()
  @ApiOperation({ summary: 'Change what an issuer’s claims give' })
  @ApiIdempotencyKey()
  @ApiIfMatch()
  @ApiOkResponse({ standardSchema: issuerView })
  change(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: changeIssuerInput }) input: z.output<typeof changeIssuerInput>,
  ): Promise<IssuerView> {
    return this.commands.execute(new ChangeIssuer(caller, { ...input, id, version }, idempotency));
  }

  @Delete(':id')
  @Needs('issuers:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Take an issuer’s claims their effect' })
  @ApiIfMatch()
  @ApiNoContentResponse()
  async remove(
    @CallerOf() caller: Caller,
    @IfMatch() version: string,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<void> {
    await this.commands.execute(new RemoveIssuer(caller, { id, version }));
  }
}
