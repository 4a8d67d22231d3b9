import { newId } from '@holdfast/kernel';
import { commitmentTo } from '@holdfast/vault';
import { z } from 'zod';
import { announcement } from './announcement';
import { earlierVersion, eventType, upcastPayload } from './event-types';
import { personal } from './personal';

const example = { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' };
const greeted = eventType('test.guest.greeted', {
  version: 2,
  description: 'A guest was greeted.',
  schema: z.object({
    name: personal(z.string().min(1), { subject: 'stream' }),
    hostId: z.string(),
    host: personal(z.object({ first: z.string() }), { subject: 'hostId' }).nullable(),
    note: personal(z.string(), { subject: 'stream' }).optional(),
  }),
  example: { name: example, hostId: newId(), host: null },
  earlier: [
    earlierVersion({
      version: 1,
      schema: z.object({ name: personal(z.string(), { subject: 'stream' }) }),
      example: { name: example },
      upcast: ({ name }) => ({ name, hostId: 'unknown', host: null }),
    }),
  ],
});

/** A personal value never gets into an event: not by a type that is wrong, and not by one that nobody thought of. */
describe('A personal field', () => {
  const stream = { id: newId(), version: 1n };
  const hostId = newId();

  it('is announced with its value and stands in the payload as a commitment', () => {
    const event = announcement(greeted, stream, { name: 'Ann', hostId, host: { first: 'Bob' } });
    const stored = JSON.parse(event.payload) as Record<string, unknown>;
    expect(event.payload).not.toMatch(/Ann|Bob/);
    expect(stored).toEqual({
      name: { commitment: expect.any(String) },
      hostId,
      host: { commitment: expect.any(String) },
    });
    expect(
      event.personal?.map(({ path, subject, value, eventId }) => [path, subject, value, eventId]),
    ).toEqual([
      ['name', stream.id, 'Ann', event.id],
      ['host', hostId, { first: 'Bob' }, event.id],
    ]);
    for (const value of event.personal ?? []) expect(commitmentTo(value)).toEqual(stored[value.path]);
  });

  it('without a value stays without', () => {
    const event = announcement(greeted, stream, { name: 'Ann', hostId, host: null });
    expect(JSON.parse(event.payload)).toMatchObject({ host: null });
    expect(event.personal).toHaveLength(1);
  });

  it('refuses what its value may not be', () => {
    expect(() => announcement(greeted, stream, { name: '', hostId, host: null })).toThrow(z.ZodError);
  });

  it('is what readers find in the stored payload, which the schema takes and earlier versions become', () => {
    const event = announcement(greeted, stream, { name: 'Ann', hostId, host: null });
    expect(greeted.schema.parse(JSON.parse(event.payload))).toEqual(JSON.parse(event.payload));
    expect(greeted.schema.safeParse({ name: 'Ann', hostId, host: null }).success).toBe(false);
    expect(upcastPayload('test.guest.greeted', 1, { name: example })).toMatchObject({ name: example });
    expect(JSON.stringify(z.toJSONSchema(greeted.schema))).toContain('"x-personal":{"subject":"hostId"}');
  });

  it('is of somebody that the payload or the stream names', () => {
    const schema = z.object({ name: personal(z.string(), { subject: 'guestId' }) });
    const declaration = { version: 1, description: 'Lost.', schema, example: { name: example } };
    expect(() => eventType('test.guest.lost', declaration)).toThrow('no field of the payload');
  });
});
