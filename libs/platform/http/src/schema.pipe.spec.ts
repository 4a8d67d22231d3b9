import { idSchema, instantSchema, InvalidInput } from '@holdfast/kernel';
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

  it('says of what is missing that it is required, and of nothing else', async () => {
    const wanted = z.strictObject({
      ...{
        text: z.string().min(1),
        id: idSchema,
        at: instantSchema,
        kind: z.enum(['a', 'b']),
        is: z.boolean(),
      },
      either: z.union([z.string(), z.int()]),
      list: z.array(z.strictObject({ inner: z.string() })),
    });
    const told = async (body: object): Promise<string[]> => {
      const error: unknown = await new SchemaPipe()
        .transform(body, { type: 'body', schema: wanted } as never)
        .catch((e: unknown) => e);
      return (error as InvalidInput).errors.map(({ pointer, message }) => `${pointer} ${message}`);
    };
    const fields = ['/text', '/id', '/at', '/kind', '/is', '/either', '/list'];
    expect(await told({})).toEqual(fields.map((field) => `${field} It is required.`));
    const wrong = { text: '', id: 1, at: 'now', kind: 'c', is: null, either: false, list: [{}] };
    expect((await told(wrong)).filter((text) => text.endsWith('It is required.'))).toEqual([
      '/list/0/inner It is required.',
    ]);
    expect(await told(wrong)).toContain('/id An id is a UUID.');
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
