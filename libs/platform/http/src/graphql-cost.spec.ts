import { buildSchema, Kind, parse } from 'graphql';
import { documentCost, TooCostly } from './graphql-cost';

const schema = buildSchema(`
  type Query { me: Person! people(first: Int, after: String): People! }
  type Mutation { rename(name: String!): Person! }
  type People { edges: [Edge!]! pageInfo: PageInfo! }
  type Edge { node: Person! cursor: String! }
  type PageInfo { hasNextPage: Boolean! }
  type Person { name: String! home: Place! friends(first: Int): People! }
  type Place { name: String! }
`);

const cost = (source: string, variables = {}): number => documentCost(schema, parse(source), variables);

describe('The cost of a document', () => {
  it.each([
    ['{ me { name home { name } } }', 1],
    ['{ __schema { types { name } } }', 1],
    ['{ me { name } you: me { name } people(first: 200) { pageInfo { hasNextPage } } }', 3],
    ['{ people(first: 10) { edges { node { name friends(first: 100) { edges { cursor } } } } } }', 11],
    ['{ people { edges { node { friends { pageInfo { hasNextPage } } } } } }', 51],
    [
      '{ people(first: 3) { ...Edges } } fragment Edges on People { edges { node { ...Friends } } } fragment Friends on Person { friends { edges { cursor } } }',
      4,
    ],
    ['{ ... on Query { me { name } } }', 1],
    ['mutation { a: rename(name: "a") { name } b: rename(name: "b") { name } }', 2],
    ['query A { me { name } } query B { a: me { name } b: me { name } }', 2],
  ])('is that of the requests it stands for: %s', (source, expected) => {
    expect(cost(source)).toBe(expected);
  });

  it('takes the size of a page from variables and their defaults', () => {
    const source =
      'query($n: Int = 20) { people(first: $n) { edges { node { friends { edges { cursor } } } } } }';
    expect([cost(source), cost(source, { n: 7 }), cost(source, { n: null })]).toEqual([21, 8, 21]);
  });

  it('has a limit', () => {
    const nested = (first: number): string =>
      `{ people(first: ${first}) { edges { node { friends { edges { cursor } } } } } }`;
    expect(cost(nested(200))).toBe(201);
    expect(() => cost(nested(250))).toThrow(TooCostly);
    expect(() => cost(nested(2_000_000_000))).toThrow(TooCostly);
  });

  it.each([-1_000_000, 0, 1])('is never lowered by a part: a page of %p counts as one item', (first) => {
    const source =
      'query($n: Int) { people(first: 20) { edges { node { friends { edges { cursor } } } } } z: people(first: $n) @skip(if: true) { edges { node { friends { edges { cursor } } } } } }';
    expect(cost(source, { n: first })).toBe(21 + 2);
    expect(cost(source.replace('($n: Int)', '').replace('$n', String(first)))).toBe(21 + 2);
  });

  it('looks at each fragment once, however often fragments spread each other', () => {
    const fragments = Array.from(
      { length: 60 },
      (_, n) => `fragment F${n} on Person { ...F${n + 1} ...F${n + 1} }`,
    );
    const source = `{ me { ...F0 } } ${fragments.join(' ')} fragment F60 on Person { friends(first: 1) { edges { cursor } } }`;
    const document = parse(source);
    let looks = 0;
    for (const node of document.definitions) {
      if (node.kind !== Kind.FRAGMENT_DEFINITION) continue;
      const { selections } = node.selectionSet;
      Object.defineProperty(node.selectionSet, 'selections', {
        get: () => {
          looks += 1;
          if (looks > 1_000) throw new Error('two to the sixtieth looks are under way');
          return selections;
        },
      });
    }
    expect(() => documentCost(schema, document, {})).toThrow(TooCostly);
    expect(looks).toBe(61);
  });
});
