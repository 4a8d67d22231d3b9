import { z } from 'zod';
import { earlierVersion, eventType, findEventType, latestVersionOf, upcastPayload } from './event-types';

const plain = { version: 1, description: 'It happened.', schema: z.object({}), example: {} };
const first = earlierVersion({
  version: 1,
  schema: z.object({ name: z.string() }),
  example: { name: 'Ada Lovelace' },
  upcast: ({ name }) => ({ first: name.split(' ')[0], last: name.split(' ')[1] }),
});
const second = earlierVersion({
  version: 2,
  schema: z.object({ first: z.string(), last: z.string() }),
  example: { first: 'Ada', last: 'Lovelace' },
  upcast: ({ first: given, last }) => ({ initials: `${given[0]}${last[0]}` }),
});
const latest = {
  version: 3,
  description: 'Signed.',
  schema: z.object({ initials: z.string() }),
  example: { initials: 'AL' },
};

describe('An event type', () => {
  it.each([
    'ledger.posted',
    'ledger.transfer.posted.twice',
    'Ledger.transfer.posted',
    'ledger.transfer.Posted',
    'ledger.transfer.post-ed',
    'ledger..posted',
    'ledger.transfer._posted',
    'ledger.transfer.posted_',
    '1edger.transfer.posted',
  ])('cannot be called %s', (name) => {
    expect(() => eventType(name, plain)).toThrow('is not of the form');
  });

  it.each(['ledger.transfer.post', 'ledger.transfer.posting', 'ledger.transfer.change_plan'])(
    'is refused as %s, which has not happened',
    (name) => {
      expect(() => eventType(name, plain)).toThrow('past tense');
    },
  );

  it.each(['test.name.used_from_new_address', 'test.mail.sent', 'test.member.signed_in'])(
    'may be called %s',
    (name) => {
      expect(eventType(name, plain)).toMatchObject({ type: name, schemaVersion: 1 });
      expect(findEventType(name)?.description).toBe('It happened.');
    },
  );

  it('has a name of its own, and streams named like its aggregate', () => {
    expect(eventType('test.thing.named', plain).streamType).toBe('test.thing');
    expect(() => eventType('test.thing.named', plain)).toThrow('two event types');
  });

  it('says how each earlier version becomes the next', () => {
    expect(() => eventType('test.gap.made', { ...plain, version: 2 })).toThrow('earlier versions');
    expect(() => eventType('test.gap.left', { ...latest, earlier: [first] })).toThrow('earlier versions');
    expect(() => eventType('test.gap.sent', { ...latest, earlier: [second, first] })).toThrow('earlier');
    expect(() => eventType('test.gap.cut', { ...latest, earlier: [first, second] })).not.toThrow();
  });

  it('brings a payload of any version to the latest, step by step', () => {
    eventType('test.letter.signed', { ...latest, earlier: [first, second] });
    expect(upcastPayload('test.letter.signed', 1, { name: 'Ada Lovelace' })).toEqual({ initials: 'AL' });
    expect(upcastPayload('test.letter.signed', 2, { first: 'Ada', last: 'Lovelace' })).toEqual({
      initials: 'AL',
    });
    const payload = { initials: 'AL' };
    expect(upcastPayload('test.letter.signed', 3, payload)).toBe(payload);
    expect(latestVersionOf('test.letter.signed')).toBe(3);
    expect(() => upcastPayload('test.letter.signed', 0, {})).toThrow('no version 0');
  });
});
