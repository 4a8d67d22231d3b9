import { GraphQLError, parseValue } from 'graphql';
import { GraphQLJSONObject } from './json-scalar';

const read = (literal: string): unknown => GraphQLJSONObject.parseLiteral(parseValue(literal), {});

describe('JSON as a GraphQL literal', () => {
  it('is what it says', () => {
    expect(read('{ a: 1, b: -1.5e3, c: "x", d: [true, null, { e: 9007199254740991 }] }')).toEqual({
      ...{ a: 1, b: -1500, c: 'x' },
      d: [true, null, { e: 9_007_199_254_740_991 }],
    });
  });

  it.each([
    '{ a: 9007199254740993 }',
    '{ a: [12345678901234567890] }',
    '{ a: 1e400 }',
    '{ __proto__: { admin: true } }',
    '{ a: { __proto__: 1 } }',
    '{ a: ENUM }',
    '[1]',
    '"text"',
    `{ a: ${'['.repeat(40)}${']'.repeat(40)} }`,
  ])('is refused as %s', (literal) => {
    const parsed = parseValue(literal);
    expect(() => GraphQLJSONObject.parseLiteral(parsed, {})).toThrow(GraphQLError);
  });
});
