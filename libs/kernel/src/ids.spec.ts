import { newId } from './ids';

describe('newId', () => {
  const ids = Array.from({ length: 20_000 }, newId);

  it('has the form of a UUIDv7 with the time in front', () => {
    const startedAt = Date.now();
    const id = newId();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(startedAt);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  it('sorts later ones behind earlier ones, also within a millisecond', () => {
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('goes on counting when the clock goes back', () => {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(0);
    const later = newId();
    clock.mockRestore();
    expect(later > (ids.at(-1) ?? '')).toBe(true);
  });

  it('has 48 random bits behind the counter', () => {
    expect(new Set(ids.map((id) => id.slice(24))).size).toBeGreaterThan(19_990);
  });
});
