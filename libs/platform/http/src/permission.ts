import type { Permission } from '@holdfast/kernel';
import { applyDecorators, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { Extensions } from '@nestjs/graphql';
import { ApiExtension } from '@nestjs/swagger';
import { type GraphQLSchema, isObjectType } from 'graphql';

/**
 * Documents the permission that a route or a field takes: `x-permission` in OpenAPI, a sentence in /schema.graphql. It
 * enforces nothing: the bus does, by the message's `scope`, and a generated test holds the two together.
 */
export const Needs = (permission: Permission): MethodDecorator =>
  applyDecorators(ApiExtension('x-permission', permission), Extensions({ permission }));

const OPEN_WHILE_SUSPENDED = 'holdfast:open-while-suspended';

/**
 * A route that a suspended tenant may still use, by a grant for nothing else: the command behind it has to take the scope
 * `SETTLE`. Everything else of a suspended tenant is refused.
 */
export const OpenWhileSuspended = (): MethodDecorator => SetMetadata(OPEN_WHILE_SUSPENDED, true);

/** Whether the handler is such a route. */
export function isOpenWhileSuspended(reflector: Reflector, context: ExecutionContext): boolean {
  return reflector.get<boolean | undefined>(OPEN_WHILE_SUSPENDED, context.getHandler()) === true;
}

const PUBLIC = 'holdfast:public';

/** A route for everybody, credential or not: it says nothing of any tenant, and is limited by address alone. */
export const Public = (): MethodDecorator =>
  applyDecorators(SetMetadata(PUBLIC, true), ApiExtension('x-public', true));

/** Whether the handler is such a route. */
export function isPublic(reflector: Reflector, context: ExecutionContext): boolean {
  return reflector.get<boolean | undefined>(PUBLIC, context.getHandler()) === true;
}

/** Writes each field's permission into its description, which is what a GraphQL client sees of a schema. */
export function describePermissions(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap()).filter(isObjectType)) {
    for (const field of Object.values(type.getFields())) {
      const { permission } = field.extensions;
      if (typeof permission === 'string')
        field.description = `${field.description ?? ''} Needs \`${permission}\`.`.trim();
    }
  }
  return schema;
}
