import type { Caller } from '@holdfast/kernel';
import { Batches } from './batches';

describe('Batches', () => {
  const [one, other] = ['a', 'b'].map((tenantId) => ({ tenantId }) as Caller) as [Caller, Caller];

  const batches = (asked: string[], fail = false): Batches<string> =>
    new Batches(async ({ tenantId }, keys) => {
      asked.push(`${tenantId}: ${keys.join(' ')}`);
      if (fail) throw new Error('no luck');
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `${tenantId}${key}`]));
    });

  it('looks up together what is asked for at once, each key once, apart by caller', async () => {
    const asked: string[] = [];
    const found = batches(asked);
    const later = async (key: string): Promise<string | undefined> => {
      await Promise.resolve();
      return found.get(one, key);
    };
    const answers = [
      found.get(one, 'x'),
      later('y'),
      found.get(one, 'x'),
      found.get(other, 'x'),
      later('none'),
    ];
    expect(await Promise.all(answers)).toEqual(['ax', 'ay', 'ax', 'bx', undefined]);
    expect(asked).toEqual(['a: x y none', 'b: x']);
  });

  it('looks again when it is asked again', async () => {
    const asked: string[] = [];
    const found = batches(asked);
    await found.get(one, 'x');
    await found.get(one, 'x');
    expect(asked).toEqual(['a: x', 'a: x']);
  });

  it('looks up very many in parts, and finds each', async () => {
    const asked: string[] = [];
    const found = batches(asked);
    const keys = Array.from({ length: 2_500 }, (_, index) => String(index));
    expect(await Promise.all(keys.map((key) => found.get(one, key)))).toEqual(keys.map((key) => `a${key}`));
    expect(asked.map((keysAsked) => keysAsked.split(' ').length - 1)).toEqual([1_000, 1_000, 500]);
  });

  it('fails for all who asked', async () => {
    const found = batches([], true);
    const answers = await Promise.allSettled([found.get(one, 'x'), found.get(one, 'y')]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
