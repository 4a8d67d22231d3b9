import { statement } from '@holdfast/database';
import { z } from 'zod';
import {
  aggregate,
  EventNotFoldable,
  factsOnly,
  type FoldedEvent,
  foldEvent,
  foldStream,
} from './aggregates';
import { earlierVersion, eventType } from './event-types';

const paved = eventType('test.path.paved', {
  version: 2,
  description: 'Paved.',
  schema: z.object({ stones: z.int(), gardenId: z.string() }),
  example: { stones: 1, gardenId: 'g' },
  earlier: [
    earlierVersion({
      version: 1,
      schema: z.object({ stones: z.int() }),
      example: { stones: 1 },
      upcast: ({ stones }) => ({ stones, gardenId: 'none' }),
    }),
  ],
});
const widened = eventType('test.path.widened', {
  version: 1,
  description: 'Widened.',
  schema: z.object({ factor: z.int() }),
  example: { factor: 2 },
});
const removed = eventType('test.path.removed', {
  version: 1,
  description: 'Removed.',
  schema: z.object({}),
  example: {},
});

interface Path {
  readonly stones: number;
}
const rows = statement('test.list_folded_paths', 'select 1');
const path = aggregate<Path>('test.path', {
  rows,
  on: (on) => [
    on(paved, ({ stones }) => ({ stones })),
    on(widened, ({ factor }, { state }) => ({ stones: (state.stones ?? 0) * factor })),
    on(removed, () => null),
  ],
});
const garden = aggregate<{ readonly stones: number }>('test.garden', {
  rows,
  on: (on) => [
    on.elsewhere(
      paved,
      ({ gardenId }) => [gardenId],
      ({ stones }, { state }) => ({ stones: (state.stones ?? 0) + stones }),
    ),
    on.elsewhere(
      widened,
      () => ['g'],
      ({ factor }, { state, source }) => ({
        stones: (state.stones ?? 0) + Number(source['stones']) * (factor - 1),
      }),
    ),
  ],
});

function event(version: number, type: string, data: unknown, schemaVersion = 1): FoldedEvent {
  return {
    id: `event ${version}`,
    streamType: 'test.path',
    streamId: 'p',
    streamVersion: BigInt(version),
    type,
    schemaVersion,
    occurredAt: '2026-11-26T12:00:00.000000Z',
    data,
  };
}

const history = [
  event(1, 'test.path.paved', { stones: 3 }),
  event(2, 'test.path.widened', { factor: 2 }),
  event(3, 'test.path.removed', {}),
];

describe('Folding', () => {
  it('makes the state of a stream, at each of its versions', () => {
    expect(foldStream('test.path', history, 1n)).toBeNull();
    expect(foldStream('test.path', history, 2n)).toEqual({ stones: 3 });
    expect(foldStream('test.path', history, 3n)).toEqual({ stones: 6 });
    expect(foldStream('test.path', history)).toBeNull();
  });

  it('tells an aggregate of the events of other streams what their own aggregate was before', () => {
    const placed = foldEvent(garden, null, event(1, 'test.path.paved', { stones: 3, gardenId: 'g' }, 2), {
      id: 'g',
      source: {},
    });
    expect(placed).toEqual({ stones: 3 });
    const source = foldStream('test.path', history, 2n) ?? {};
    expect(
      foldEvent(garden, placed, event(2, 'test.path.widened', { factor: 2 }), { id: 'g', source }),
    ).toEqual({
      stones: 6,
    });
  });

  it.each([
    ['whose earlier payload is none of its type', event(1, 'test.path.paved', { stones: 'three' })],
    ['whose payload is none of its type', event(1, 'test.path.paved', { stones: 1.5, gardenId: 'g' }, 2)],
    ['in a version that is not known', event(1, 'test.path.paved', { stones: 1 }, 3)],
  ])('refuses an event %s', (_, unreadable) => {
    expect(() => foldEvent(path, null, unreadable)).toThrow(EventNotFoldable);
  });

  it('is declared once for each stream type', () => {
    expect(() => factsOnly('test.path', 'none')).toThrow('declared twice');
  });
});
