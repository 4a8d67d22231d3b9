import { InvalidInput } from '@holdfast/kernel';
import { z } from 'zod';
import { SchemaPipe } from './schema.pipe';

const schema = z.strictObject({
  name: z.string().max(3),
  list: z.array(z.strictObject({ 'a/b': z.int() })).optional(),
});

async function faults(value: unknown, type: 'body' | 'query' = 'body'): Promise<unknown> {
  const refused: unknown = await new SchemaPipe()
    .transform(value, { type, schema } as never)
    .catch((error: unknown) => error);
  return refused instanceof InvalidInput
    ? refused.errors.map(({ pointer, code }) => `${pointer} ${code}`)
    : refused;
}

describe('SchemaPipe', () => {
  it('answers the parsed value', async () => {
    expect(await faults({ name: 'ada' })).toEqual({ name: 'ada' });
  });

  it('names each fault by JSON Pointer and code', async () => {
    expect(await faults({ name: 'long name', list: [{ 'a/b': 'x' }], more: 1, most: 2 })).toEqual([
      '/name too_big',
      '/list/0/a~1b invalid_type',
      '/more unknown_field',
      '/most unknown_field',
    ]);
  });

  it('takes an absent body for an empty one', async () => {
    expect(await faults(undefined)).toEqual(['/name invalid_type']);
  });

  it('never repeats the value', async () => {
    const error: unknown = await new SchemaPipe()
      .transform({ name: 's3cret' }, { type: 'body', schema } as never)
      .catch((e: unknown) => e);
    expect(JSON.stringify((error as InvalidInput).errors)).not.toContain('s3cret');
  });

  it('refuses texts that PostgreSQL cannot store', async () => {
    expect(await faults({ name: 'a\u0000' }, 'query')).toEqual(['/name invalid_text']);
    expect(await faults({ name: '\ud800' }, 'query')).toEqual(['/name invalid_text']);
  });

  it('shows at most fifty faults', async () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`field${index}`, 1]));
    expect(await faults({ name: 'ada', ...many })).toHaveLength(50);
  });
});
