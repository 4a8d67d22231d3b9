import path from 'node:path';
import { listEventTypes, personal } from '@holdfast/tenancy';
import { z } from 'zod';
import { type JsonSchema, jsonSchemaOf } from '../../libs/modules/delivery/src/event-types/event-schema';
import { expectTidy } from './rule';
import { readTree, root } from './tree';

/** Words that say of a field that it names a person, or takes any text, in which somebody may name one. */
const TELLING = new Set(
  'address addresses birth birthday comment comments description email emails iban ip mail message name names note notes phone reason remark surname text title username'.split(
    ' ',
  ),
);

/** Fields that sound personal and are not: `<type>.<path>`, and why. */
const NOT_PERSONAL: Readonly<Record<string, string>> = {
  'audit.request.refused.message': 'the name of a command or query',
  'payments.payment.bank_requested.toIban':
    'its country and last four characters, which a hundred thousand share',
  'webhooks.endpoint.disabled.reason': 'one of a few words of ours, no text',
};

interface Faults {
  /** Fields that sound personal and are not marked. */
  readonly unmarked: string[];
  /** Marked where `personal` does not look. */
  readonly buried: string[];
}

function faultsOf(schema: JsonSchema, place: string, depth = 0): Faults {
  const { properties = {}, ...rest } = schema as { properties?: Readonly<Record<string, JsonSchema>> };
  const found = Object.entries(properties).map(([name, field]) => faultsOfField(name, field, place, depth));
  // Members of arrays, alternatives and maps stand below this place too.
  for (const inner of Object.values(rest).flat())
    if (typeof inner === 'object' && inner !== null)
      found.push(faultsOf(inner as JsonSchema, place, depth + 1));
  return {
    unmarked: found.flatMap(({ unmarked }) => unmarked),
    buried: found.flatMap(({ buried }) => buried),
  };
}

function faultsOfField(name: string, field: JsonSchema, parent: string, depth: number): Faults {
  const place = `${parent}.${name}`;
  if (JSON.stringify(field).includes('"x-personal"') && isMarked(field))
    return { unmarked: [], buried: depth > 0 ? [place] : [] };
  const inner = faultsOf(field, place, depth + 1);
  const words = name
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[ _]/);
  const sounds = words.some((word) => TELLING.has(word)) && !(place in NOT_PERSONAL);
  return { ...inner, unmarked: [...(sounds ? [place] : []), ...inner.unmarked] };
}

/** The field itself, or what it is where it is not null. */
function isMarked(field: JsonSchema): boolean {
  const { anyOf = [] } = field as { anyOf?: readonly JsonSchema[] };
  return 'x-personal' in field || anyOf.some((each) => 'x-personal' in each);
}

for (const { path: source } of readTree().filter(({ path: each }) => /^libs\/.*\.events\.ts$/.test(each)))
  require(path.join(root, source));
const published = listEventTypes().flatMap(({ type, versions }) =>
  versions.map(({ schema }) => faultsOf(jsonSchemaOf(schema), type)),
);

describe('Fields of events', () => {
  test('that sound personal are, or say here why not', () => {
    expectTidy(
      published.flatMap(({ unmarked }) => unmarked),
      'The log is kept for ever. Mark these with `personal`, or list them in NOT_PERSONAL with the reason.',
    );
    expect(published.length).toBeGreaterThan(30);
  });

  test('that are personal stand at the top of their payloads', () => {
    expectTidy(
      published.flatMap(({ buried }) => buried),
      'What is marked below the top would be stored as it is.',
    );
  });

  test.each<[string, z.ZodType, Partial<Faults>]>([
    ['a name', z.object({ displayName: z.string() }), { unmarked: ['a.b.made.displayName'] }],
    [
      'an address in a list',
      z.object({ to: z.array(z.object({ email: z.string() })) }),
      { unmarked: ['a.b.made.to.email'] },
    ],
    [
      'a marked name',
      z.object({ name: personal(z.string(), { subject: 'stream' }).nullable() }),
      { unmarked: [] },
    ],
    [
      'a marked name below the top',
      z.object({ who: z.object({ name: personal(z.string(), { subject: 'stream' }) }) }),
      { buried: ['a.b.made.who.name'] },
    ],
    ['an id', z.object({ memberId: z.string(), isRenamed: z.boolean() }), { unmarked: [], buried: [] }],
  ])('are looked at: %s', (_what, schema, faults) => {
    expect(faultsOf(jsonSchemaOf(schema), 'a.b.made')).toMatchObject(faults);
  });
});
