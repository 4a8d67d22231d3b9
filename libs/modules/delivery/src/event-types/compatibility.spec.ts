import { z } from 'zod';
import { breaksOf } from './compatibility';
import { jsonSchemaOf } from './event-schema';

const shape = {
  id: z.guid(),
  amount: z.string().regex(/^[0-9]{1,19}$/),
  side: z.enum(['debit', 'credit']),
  count: z.int(),
  note: z.string().optional(),
  endsAt: z.string().nullable(),
  tags: z.array(z.string()),
  parts: z.array(z.object({ name: z.string() })),
  party: z.object({ kind: z.string() }),
  settings: z.record(z.string(), z.int()),
};
const published = z.object(shape);
const { note: _note, count: _count, ...withoutTwo } = shape;
const { note, count } = shape;

const changed = (change: Partial<Record<string, z.ZodType>>): z.ZodType =>
  z.object({ ...shape, ...(change as Record<string, z.ZodType>) });

/** What a developer may do to the schema of a published version, and what the check says to it. */
const free: readonly [string, z.ZodType][] = [
  ['nothing', published],
  ['another order of the properties', z.object(Object.fromEntries(Object.entries(shape).toReversed()))],
  ['a description', published.describe('What it is.')],
  [
    'a description and examples of a property',
    changed({ id: z.guid().meta({ description: 'Whose.', examples: ['x'] }) }),
  ],
  ['a further optional property', changed({ more: z.string().optional() })],
  [
    'a further optional property further in',
    changed({ party: z.object({ kind: z.string(), more: z.int().optional() }) }),
  ],
  [
    'a further optional property of an element',
    changed({ parts: z.array(z.object({ name: z.string(), more: z.int().optional() })) }),
  ],
  ['refusing unknown properties when it is written', z.strictObject(shape)],
];

const breaking: readonly [string, z.ZodType, string][] = [
  ['a property less', z.object({ ...withoutTwo, note }), 'data.count would be gone'],
  ['an optional property less', z.object({ ...withoutTwo, count }), 'data.note would be gone'],
  [
    'a property of another name',
    z.object({ ...withoutTwo, note, number: count.optional() }),
    'data.count would be gone',
  ],
  ['a further required property', changed({ more: z.string() }), 'data.more would be required'],
  ['a further property with a default', changed({ more: z.int().default(0) }), 'data.more would be required'],
  [
    'a required property that becomes optional',
    changed({ count: z.int().optional() }),
    'data.count was always there',
  ],
  [
    'an optional property that becomes required',
    changed({ note: z.string() }),
    'data.note would be required',
  ],
  ['a number that becomes a text', changed({ count: z.string() }), 'data.count: type'],
  ['an integer that may have a fraction', changed({ count: z.number() }), 'data.count: '],
  ['a property that may be null', changed({ side: shape.side.nullable() }), 'data.side: '],
  ['a property that may no longer be null', changed({ endsAt: z.string() }), 'data.endsAt: '],
  [
    'a word more in an enumeration',
    changed({ side: z.enum(['debit', 'credit', 'both']) }),
    'data.side: enum',
  ],
  ['a word less in an enumeration', changed({ side: z.enum(['debit']) }), 'data.side: '],
  ['an enumeration that becomes any text', changed({ side: z.string() }), 'data.side: enum'],
  ['a narrower pattern', changed({ amount: z.string().regex(/^[0-9]{1,18}$/) }), 'data.amount: pattern'],
  ['no pattern', changed({ amount: z.string() }), 'data.amount: pattern'],
  ['a limit', changed({ note: z.string().max(10).optional() }), 'data.note: maxLength'],
  ['elements of another type', changed({ tags: z.array(z.int()) }), 'data.tags/items: '],
  ['one in place of several', changed({ tags: z.string() }), 'data.tags: '],
  [
    'a property less of an element',
    changed({ parts: z.array(z.object({})) }),
    'data.parts/items.name would be gone',
  ],
  ['a property less further in', changed({ party: z.object({}) }), 'data.party.kind would be gone'],
  [
    'a record of other values',
    changed({ settings: z.record(z.string(), z.string()) }),
    'data.settings/additionalProperties: ',
  ],
  [
    'another name for one of many',
    changed({ settings: z.object({}).catchall(z.int()).extend({ known: z.int().optional() }) }),
    'data.settings',
  ],
];

describe('The schema of a published version', () => {
  it.each(free)('may get %s', (_change, schema) => {
    expect(breaksOf(jsonSchemaOf(published), jsonSchemaOf(schema))).toEqual([]);
  });

  it.each(breaking)('may not get %s', (_change, schema, fault) => {
    const breaks = breaksOf(jsonSchemaOf(published), jsonSchemaOf(schema));
    expect(breaks.length).toBeGreaterThan(0);
    expect(breaks.some((each) => each.startsWith(fault))).toBe(true);
  });

  it('is compared branch by branch where there are several', () => {
    const either = (...others: z.ZodObject[]): object =>
      jsonSchemaOf(z.union([z.object({ a: z.int() }), ...others]));
    const b = z.object({ b: z.int() });
    expect(breaksOf(either(b) as never, either(b.extend({ c: z.int().optional() })) as never)).toEqual([]);
    expect(breaksOf(either(b) as never, either(z.object({ c: z.int() })) as never)).toHaveLength(2);
    expect(breaksOf(either(b) as never, either() as never)).not.toEqual([]);
    expect(breaksOf(either(b) as never, either(b, b) as never)).toHaveLength(1);
  });
});
