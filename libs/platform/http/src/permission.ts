import type { Permission } from '@holdfast/kernel';
import { applyDecorators } from '@nestjs/common';
import { Extensions } from '@nestjs/graphql';
import { ApiExtension } from '@nestjs/swagger';
import { type GraphQLSchema, isObjectType } from 'graphql';

/**
 * Documents the permission that a route or a field takes: `x-permission` in OpenAPI, a sentence in /schema.graphql. It
 * enforces nothing: the bus does, by the message's `scope`, and a generated test holds the two together.
 */
export const Needs = (permission: Permission): MethodDecorator =>
  applyDecorators(ApiExtension('x-permission', permission), Extensions({ permission }));

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
