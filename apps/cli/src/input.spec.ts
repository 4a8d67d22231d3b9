import { z } from 'zod';
import { WrongUsage } from './failures';
import { parseInput } from './input';

describe('An argument that is wrong', () => {
  const faultsOf = (parse: () => unknown): string => {
    try {
      parse();
    } catch (error) {
      if (error instanceof WrongUsage) return error.message;
    }
    return 'none';
  };

  it('is named, by its option or by its field', () => {
    expect(faultsOf(() => parseInput(z.literal('on'), 'off', '--state'))).toMatch(/^--state: \S/);
    expect(faultsOf(() => parseInput(z.object({ slug: z.literal('on') }), { slug: 5 }))).toMatch(/^slug: \S/);
  });
});
