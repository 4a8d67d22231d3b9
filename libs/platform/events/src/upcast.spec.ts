import { earlierVersion, eventType } from '@holdfast/tenancy';
import { z } from 'zod';
import type { RecordedEvent } from './recorded-event';
import { EventTooNew, upcast } from './upcast';

eventType('test.kettle.boiled', {
  version: 2,
  description: 'Water has boiled.',
  schema: z.object({ celsius: z.int() }),
  example: { celsius: 100 },
  earlier: [
    earlierVersion({
      version: 1,
      schema: z.object({ fahrenheit: z.int() }),
      example: { fahrenheit: 212 },
      upcast: ({ fahrenheit }) => ({ celsius: Math.round(((fahrenheit - 32) * 5) / 9) }),
    }),
  ],
});

const recorded = (type: string, schemaVersion: number, data: object): RecordedEvent =>
  ({ id: 'same', type, schemaVersion, data }) as Partial<RecordedEvent> as RecordedEvent;

describe('Upcasting', () => {
  it('brings an older event to the latest version and leaves the recorded one alone', () => {
    const event = recorded('test.kettle.boiled', 1, { fahrenheit: 212 });
    expect(upcast(event)).toEqual({ ...event, schemaVersion: 2, data: { celsius: 100 } });
    expect(event.data).toEqual({ fahrenheit: 212 });
  });

  it('hands on what is of the latest version, and what is of no known type, untouched', () => {
    const current = recorded('test.kettle.boiled', 2, { celsius: 100, more: true });
    const unknown = recorded('test.kettle.invented', 7, { anything: 1 });
    expect(upcast(current)).toBe(current);
    expect(upcast(unknown)).toBe(unknown);
  });

  it('refuses a version that only a later release can read', () => {
    expect(() => upcast(recorded('test.kettle.boiled', 3, {}))).toThrow(EventTooNew);
  });
});
