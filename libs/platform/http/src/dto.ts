import { ArgsType, Field, Float, GraphQLISODateTime, ID, InputType, Int, ObjectType } from '@nestjs/graphql';
import { GraphQLJSONObject } from './json-scalar';
import { z } from 'zod';

/** A class that carries a schema: GraphQL's type and what the schema pipe validates by. */
export type Dto<S extends z.ZodObject> = { new (): z.output<S>; readonly schema: S };

interface GraphqlField {
  readonly type: () => unknown;
  readonly nullable: boolean;
}

/**
 * A base class for a GraphQL input, object or arguments type whose fields are those of a zod schema, so that one schema serves
 * validation, OpenAPI and GraphQL:
 *
 *     @InputType() class OpenAccountInput extends dto(openAccountInput, 'input') {}
 *
 * A zod type without a GraphQL counterpart throws at start-up; it is never guessed.
 */
export function dto<S extends z.ZodObject>(schema: S, kind: 'input' | 'output' | 'args'): Dto<S> {
  const direction = kind === 'output' ? 'output' : 'input';
  function Fields(): void {} // What Nest reads is its prototype; a subclass is what is named and used.
  Fields.schema = schema;
  for (const [name, type] of Object.entries(schema.shape)) {
    const field = graphqlField(type as z.ZodType, direction, name);
    Field(field.type as never, { nullable: field.nullable })(Fields.prototype as object, name);
  }
  if (kind === 'args') ArgsType()(Fields);
  else (kind === 'input' ? InputType : ObjectType)({ isAbstract: true })(Fields);
  return Fields as never;
}

const named = new WeakMap<z.ZodType, Partial<Record<'input' | 'output', () => unknown>>>();

/** Names the GraphQL class, or registered enum, that stands for a schema wherever another one contains it. */
export function represent(schema: z.ZodType, direction: 'input' | 'output', type: () => unknown): void {
  named.set(schema, { ...named.get(schema), [direction]: type });
}

function graphqlField(type: z.ZodType, direction: 'input' | 'output', name: string): GraphqlField {
  let inner = type;
  let nullable = false;
  for (;;) {
    const known = named.get(inner)?.[direction];
    if (known) return { type: known, nullable };
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) {
      nullable = true;
      inner = inner.def.innerType as z.ZodType;
    } else if (inner instanceof z.ZodDefault) {
      // What has a default may be left out of an input, and is always there in an output.
      nullable ||= direction === 'input';
      inner = inner.def.innerType as z.ZodType;
    } else if (inner instanceof z.ZodPipe) {
      inner = (direction === 'input' ? inner.def.in : inner.def.out) as z.ZodType;
      if (inner instanceof z.ZodTransform) inner = (type as z.ZodPipe).def.in as z.ZodType;
    } else return { type: scalar(inner, direction, name), nullable };
  }
}

function scalar(type: z.ZodType, direction: 'input' | 'output', name: string): () => unknown {
  if (type instanceof z.ZodArray) {
    const element = graphqlField(type.element as z.ZodType, direction, name);
    return () => [element.type()];
  }
  if (type instanceof z.ZodGUID || type instanceof z.ZodUUID) return () => ID;
  if (
    type instanceof z.ZodString ||
    type instanceof z.ZodStringFormat ||
    type instanceof z.ZodEnum ||
    type instanceof z.ZodLiteral
  ) {
    return () => (typeof literalOf(type) === 'boolean' ? Boolean : String);
  }
  if (type instanceof z.ZodNumber) return () => (type.isInt ? Int : Float);
  if (type instanceof z.ZodBoolean) return () => Boolean;
  if (type instanceof z.ZodDate) return () => GraphQLISODateTime;
  if (type instanceof z.ZodRecord) return () => GraphQLJSONObject;
  throw new Error(
    `no GraphQL type for the field ${name} (${type.constructor.name}): call represent() for its schema`,
  );
}

function literalOf(type: z.ZodType): unknown {
  return type instanceof z.ZodLiteral ? [...type.values][0] : undefined;
}
