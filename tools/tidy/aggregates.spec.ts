import path from 'node:path';
import { findAggregate, listAggregates, listEventTypes, reasonForFacts } from '@holdfast/tenancy';
import { expectTidy } from './rule';
import { readTree, root } from './tree';

for (const { path: source } of readTree().filter(({ path: each }) =>
  /^libs\/.*\.(?:events|aggregates)\.ts$/.test(each),
))
  require(path.join(root, source));

describe('Aggregates', () => {
  const declared = listEventTypes();

  test('are declared for each stream type, or why its events are facts only', () => {
    const streamTypes = [...new Set(declared.map(({ streamType }) => streamType))];
    const missing = streamTypes.filter((each) => !findAggregate(each) && !reasonForFacts(each));
    expectTidy(missing, 'Declare `aggregate` or `factsOnly` in the module’s *.aggregates.ts.');
    expect(streamTypes.length).toBeGreaterThan(10);
  });

  test('react to each type of their stream', () => {
    const deaf = declared.filter(({ type, streamType }) => {
      const folding = findAggregate(streamType);
      const reaction = folding?.reactions.get(type);
      return folding !== undefined && (reaction === undefined || reaction.idsOf !== undefined);
    });
    expectTidy(
      deaf.map(({ type }) => type),
      'An event that changes nothing of the state says so: `on(type, () => ({}))`.',
    );
  });

  test('react to types that are declared', () => {
    const types = new Set(declared.map(({ type }) => type));
    const unknown = listAggregates().flatMap(({ reactions }) =>
      [...reactions.keys()].filter((type) => !types.has(type)),
    );
    expectTidy(unknown, 'Its event type is gone; no event type ever goes.');
  });
});
