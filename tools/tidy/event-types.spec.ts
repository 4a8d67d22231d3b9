import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type EventType, eventType, listEventTypes } from '@holdfast/tenancy';
import { z } from 'zod';
import { breaksOf } from '../../libs/modules/delivery/src/event-types/compatibility';
import { type JsonSchema, jsonSchemaOf } from '../../libs/modules/delivery/src/event-types/event-schema';
import { expectTidy } from './rule';
import { readTree, root } from './tree';

/** JSON Schemas by version, by type: what was published. */
type Recorded = Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;

const file = path.join(root, 'libs/modules/delivery/event-types.json');
const recorded = JSON.parse(readFileSync(file, 'utf8')) as Recorded;

for (const { path: source } of readTree().filter(({ path: each }) => /^libs\/.*\.events\.ts$/.test(each)))
  require(path.join(root, source));
const declared = listEventTypes();

function recordOf(types: readonly EventType[]): Recorded {
  return Object.fromEntries(
    types.map(({ type, versions }) => [
      type,
      Object.fromEntries(versions.map(({ version, schema }) => [version, jsonSchemaOf(schema)])),
    ]),
  );
}

/** What was published and is not there any more, or not as it was. */
function breaksIn(published: Recorded, current: Recorded): string[] {
  return Object.entries(published).flatMap(([type, versions]) =>
    Object.entries(versions).flatMap(([version, schema]) => {
      const kept = current[type]?.[version];
      if (!kept) return [`${type} ${version} is published and not declared`];
      return breaksOf(schema, kept).map((fault) => `${type} ${version}: ${fault}`);
    }),
  );
}

describe('Published events', () => {
  test('keep their types, their versions and what these promise', () => {
    expectTidy(
      breaksIn(recorded, recordOf(declared)),
      'Readers rely on this. Publish another version, with the one before it among `earlier` and how it becomes the next.',
    );
  });

  test('are recorded in libs/modules/delivery/event-types.json', () => {
    const wanted = `${JSON.stringify(recordOf(declared), null, 2)}\n`;
    // What breaks a version is never written over: whoever means it takes it out of the file by hand, for all to see.
    const isBroken = breaksIn(recorded, recordOf(declared)).length > 0;
    if (process.env['HOLDFAST_WRITE_DOCS'] && !isBroken) writeFileSync(file, wanted);
    else
      expectTidy(
        readFileSync(file, 'utf8') === wanted ? [] : ['libs/modules/delivery/event-types.json'],
        'Run `HOLDFAST_WRITE_DOCS=1 npx jest tools/tidy/event-types` and look at the difference.',
      );
  });

  test('are described, with an example of each version that its schema takes as it is', () => {
    const wrong = declared.flatMap(({ type, description, versions }) => [
      ...(/^[A-Z].*\.$/s.test(description) ? [] : [`${type} is not described in sentences`]),
      ...versions
        .filter(({ schema, example }) => !isTaken(schema, example))
        .map(({ version }) => `${type} ${version}: the example is not one`),
    ]);
    expectTidy(wrong, 'Give `description` and `example` what a reader is to see.');
    expect(declared.length).toBeGreaterThan(30);
  });

  test('become what the next version takes, step by step', () => {
    expectTidy(upcastsAmiss(declared), 'Look at `upcast` of these versions.');
  });
});

function isTaken(schema: z.ZodType, example: unknown): boolean {
  const parsed = schema.safeParse(example);
  return parsed.success && JSON.stringify(sorted(parsed.data)) === JSON.stringify(sorted(example));
}

/** By the example of each version. */
function upcastsAmiss(types: readonly EventType[]): string[] {
  return types.flatMap(({ type, versions }) =>
    versions.slice(0, -1).flatMap((earlier, index) => {
      const { upcast } = earlier as unknown as { upcast: (payload: unknown) => unknown };
      return versions[index + 1]?.schema.safeParse(upcast(earlier.schema.parse(earlier.example))).success
        ? []
        : [`${type} ${earlier.version}`];
    }),
  );
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

/** The rule itself: what it refuses and what it lets through. */
describe('A change of what is published', () => {
  const fence = {
    version: 1,
    description: 'A fence was painted.',
    schema: z.object({ coats: z.int() }),
    example: { coats: 1 },
  };
  const published = { 'test.fence.painted': { 1: jsonSchemaOf(fence.schema) } };
  const boards = z.object({ boards: z.int() });
  const versionsOf = (...schemas: z.ZodType[]): Recorded => ({
    'test.fence.painted': Object.fromEntries(
      schemas.map((schema, index) => [index + 1, jsonSchemaOf(schema)]),
    ),
  });

  test.each<[string, Recorded, number]>([
    ['a type that is gone', {}, 1],
    ['a version that is gone', { 'test.fence.painted': { 2: jsonSchemaOf(boards) } }, 1],
    ['another payload under the same version', versionsOf(boards), 2],
    ['another version beside it', versionsOf(fence.schema, boards), 0],
    ['another type', { ...published, 'test.gate.painted': { 1: jsonSchemaOf(boards) } }, 0],
    ['nothing', published, 0],
  ])('by %s', (_change, current, faults) => {
    expect(breaksIn(published, current)).toHaveLength(faults);
  });

  test('takes a step from the version before', () => {
    const bare = { ...fence, version: 2, schema: boards, example: { boards: 1 } };
    expect(() => eventType('test.fence.painted', bare)).toThrow('earlier versions');
    const wrong = eventType('test.gate.painted', {
      ...bare,
      earlier: [{ ...fence, upcast: () => ({ planks: 1 }) }],
    });
    const right = eventType('test.door.painted', {
      ...bare,
      earlier: [{ ...fence, upcast: () => ({ boards: 1 }) }],
    });
    expect(upcastsAmiss([wrong, right])).toEqual(['test.gate.painted 1']);
  });
});
