import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumerGroup } from './consumers';
import { DeliveryLanes } from './delivery-lanes';

// Guards «fair»: whoever has a backlog takes a turn like everybody, however long it is.
describe('The lanes of a group', () => {
  it('give a single event its turn before any backlog has had two', async () => {
    const stopping = new AbortController();
    const slices: string[] = [];
    const group: ConsumerGroup = {
      name: 'probe',
      kind: 'tenant',
      enqueue: () => Promise.reject(new Error('nothing goes another way')),
      deliver: async (key) => {
        slices.push(key);
        await sleep(4);
        return key !== 'single'; // The others never end.
      },
    };
    const lanes = new DeliveryLanes(group, stopping.signal);
    const backlogs = Array.from({ length: 12 }, (_, n) => `backlog ${n}`);
    expect(lanes.offer(backlogs)).toEqual([]);
    while (slices.length < 30) await sleep(1);
    const offeredAt = slices.length;
    expect(lanes.offer(['single'])).toEqual([]);
    while (!slices.includes('single')) await sleep(1);
    stopping.abort();
    await lanes.settled();
    const between = slices.slice(offeredAt, slices.indexOf('single'));
    expect(new Set(between).size).toBe(between.length);
    expect(between.length).toBeLessThanOrEqual(backlogs.length);
  });
});
