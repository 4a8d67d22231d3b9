import { z } from 'zod';
import { findSaga, saga } from './saga';

const input = z.object({ amount: z.int() });
const step = { run: () => Promise.resolve(1) };
const undoable = { ...step, compensate: () => Promise.resolve() };
let made = 0;
const begun = (more: { readonly revision?: number } = {}) =>
  saga({ name: `test.saga_${(made += 1)}`, input, ...more });

describe('A saga', () => {
  it('has steps that can be compensated, a pivot, and steps that have to be done, in this order', () => {
    const built = begun()
      .compensatable('hold', undoable)
      .pivot('decide', step)
      .retriable('post', step)
      .build();
    expect(built.steps.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'hold compensatable',
      'decide pivot',
      'post retriable',
    ]);
    expect(built.committedFrom).toBe(2);
    expect(findSaga(built.name, built.hash)).toBe(built);
  });

  it('does not compile in another order', () => {
    const behindPivot = begun().pivot('decide', step);
    // @ts-expect-error Nothing can be compensated behind the pivot.
    expect(behindPivot.compensatable).toBeDefined();
    // @ts-expect-error There is one pivot.
    expect(behindPivot.pivot).toBeDefined();
    // @ts-expect-error Behind a step that has to be done there is no pivot.
    expect(begun().retriable('post', step).pivot).toBeDefined();
    // @ts-expect-error What can be compensated says how.
    begun().compensatable('hold', step);
    // @ts-expect-error The pivot is done in the saga's own tenant.
    begun().pivot('decide', { ...step, tenant: () => 'another' });
    const late = { timeoutSeconds: 5 };
    // @ts-expect-error What has to be done is not given up when a time is over.
    begun().retriable('post', { ...step, ...late });
    // @ts-expect-error Outside neither.
    begun().retriable('tell', { call: () => Promise.resolve(), ...late });
    // @ts-expect-error A name is taken once.
    expect(() => begun().compensatable('hold', undoable).pivot('hold', step)).toThrow(
      'two steps are called hold',
    );
    begun()
      .compensatable('hold', undoable)
      .pivot('decide', {
        // @ts-expect-error Only what steps before have answered is there.
        run: (_, { results }) => Promise.resolve(results.post),
      });
  });

  it('has a hash of what it says, whatever its functions are', () => {
    const name = 'test.hashed';
    const build = (first: string, revision = 1, shape: z.ZodType<object> = input): string =>
      saga({ name, input: shape, revision }).retriable(first, step).build().hash;
    const hash = build('one');
    expect(() =>
      saga({ name, input })
        .retriable('one', { run: () => Promise.resolve(2) })
        .build(),
    ).toThrow('defined twice in the same way');
    const others = [build('two'), build('one', 2), build('one', 1, z.object({ amount: z.string() }))];
    expect(new Set([hash, ...others]).size).toBe(4);
  });

  it.each([
    ['no steps', 'a saga has 1 to 50', () => begun().build()],
    ['a name that is none', 'not of the form module.saga', () => saga({ name: 'Payments', input })],
    [
      'a step that waits longer for a call than its lease lasts',
      'longer than 30 s',
      () => begun().retriable('call', { call: () => Promise.resolve(), callSeconds: 60 }),
    ],
  ])('is refused with %s', (_, message, make) => {
    expect(make).toThrow(message);
  });
});
