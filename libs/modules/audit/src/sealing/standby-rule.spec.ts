import { type Positions, StandbyRule } from './standby-rule';

describe('The standby rule', () => {
  const at = (positions: Partial<Positions>): Positions => ({
    here: 100n,
    standby: null,
    hidden: 0,
    slots: 0,
    ...positions,
  });

  it('signs what is on this disk where nobody follows', () => {
    expect(new StandbyRule().safeEnd(at({}), 0)).toBe(100n);
  });

  it('signs what the standby has on its disk, however long it is behind', () => {
    const rule = new StandbyRule();
    expect(rule.safeEnd(at({ standby: 90n }), 0)).toBe(90n);
    expect(rule.safeEnd(at({ standby: 90n }), 1e9)).toBe(90n);
    expect(rule.safeEnd(at({ standby: 120n }), 1e9)).toBe(100n);
  });

  it('waits a minute for a standby that has gone, and goes on without it', () => {
    const rule = new StandbyRule();
    rule.safeEnd(at({ standby: 90n }), 0);
    expect(rule.safeEnd(at({}), 1_000)).toBe(0n);
    expect(rule.safeEnd(at({}), 60_999)).toBe(0n);
    expect(rule.safeEnd(at({}), 61_000)).toBe(100n);
    // Back, and gone again: another minute.
    expect(rule.safeEnd(at({ standby: 50n }), 62_000)).toBe(50n);
    expect(rule.safeEnd(at({}), 63_000)).toBe(0n);
  });

  it('knows by its slot of a standby that it has never seen', () => {
    expect(new StandbyRule().safeEnd(at({ slots: 1 }), 0)).toBe(0n);
  });

  it('does not wait for one whose position is hidden', () => {
    expect(new StandbyRule().safeEnd(at({ hidden: 1 }), 0)).toBe(100n);
  });
});
