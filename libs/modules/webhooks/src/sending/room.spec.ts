import { hasRoom, type Occupant, roomFor } from './room';

const of = (tenantId: string, count: number, failing = false): Occupant[] =>
  Array.from({ length: count }, () => ({ tenantId, failing }));

describe('The room of a process', () => {
  it('is shared, such that the share of one more tenant is left over', () => {
    let occupants: Occupant[] = [];
    const take = (tenantId: string): number => {
      const { slots } = roomFor(tenantId, occupants, 1);
      occupants = [...occupants, ...of(tenantId, slots)];
      return slots;
    };
    expect([take('a'), take('b'), take('c')]).toEqual([128, 85, 43]);
    expect([take('a'), take('b'), take('c')]).toEqual([0, 0, 0]);
    // Whoever has nothing under way begins all the same.
    expect([take('d'), take('d'), take('e')]).toEqual([1, 0, 1]);
  });

  it('leaves a tenant its first delivery to an endpoint that fails, however many of another hang', () => {
    const hanging = of('a', 64, true);
    expect(roomFor('a', hanging, 3).failingSlots).toBe(0);
    expect(roomFor('b', hanging, 3).failingSlots).toBe(1);
    expect(roomFor('b', [...hanging, ...of('b', 1, true)], 3).failingSlots).toBe(0);
    // One tenant gets no more than sixteen, so the shared ones are not one tenant's.
    expect(roomFor('a', of('a', 16, true), 1).failingSlots).toBe(0);
    expect(roomFor('b', of('a', 16, true), 1).failingSlots).toBe(16);
  });

  it('is never more than twice what is usual', () => {
    const full = Array.from({ length: 512 }, (_, n) => ({ tenantId: `t${n}`, failing: false }));
    expect(roomFor('new', full, 3)).toEqual({ slots: 0, failingSlots: 0 });
    const held = new Map(full.map((occupant, n) => [n, occupant]));
    expect(hasRoom('new', held)).toBe(false);
    held.delete(0);
    expect([hasRoom('new', held), hasRoom('t5', held)]).toEqual([true, false]);
  });
});
