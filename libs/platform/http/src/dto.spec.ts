import {
  Field,
  GraphQLSchemaBuilderModule,
  GraphQLSchemaFactory,
  ObjectType,
  Query,
  Resolver,
} from '@nestjs/graphql';
import { Test } from '@nestjs/testing';
import { printSchema } from 'graphql';
import { z } from 'zod';
import { dto, represent } from './dto';

const place = z.object({ street: z.string() });
const person = z.object({
  id: z.guid(),
  age: z.int(),
  weight: z.number().optional(),
  tags: z.array(z.string()).default([]),
  home: place.nullable(),
  extra: z.record(z.string(), z.unknown()),
  live: z.boolean(),
});

@ObjectType()
class Place extends dto(place, 'output') {}
represent(place, 'output', () => Place);

@ObjectType()
class Person extends dto(person, 'output') {
  @Field()
  added!: string;
}

@Resolver(() => Person)
class PersonResolver {
  @Query(() => Person)
  person(): undefined {
    return undefined;
  }
}

describe('dto', () => {
  it('gives GraphQL the fields of the schema', async () => {
    const module = await Test.createTestingModule({ imports: [GraphQLSchemaBuilderModule] }).compile();
    const schema = await module.get(GraphQLSchemaFactory).create([PersonResolver]);
    expect(printSchema(schema)).toContain(`type Person {
  id: ID!
  age: Int!
  weight: Float
  tags: [String!]!
  home: Place
  extra: JSONObject!
  live: Boolean!
  added: String!
}`);
  });

  it('throws for a type that it does not know', () => {
    expect(() => dto(z.object({ at: z.map(z.string(), z.string()) }), 'output')).toThrow(
      'no GraphQL type for the field at',
    );
  });
});
