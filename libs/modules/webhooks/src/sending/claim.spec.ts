import { chooseLanes, type DueLane } from './claim';

const lanes = (endpoint: string, count: number, busy = 0, failing = false): DueLane[] =>
  Array.from({ length: count }, (_, n) => ({ endpoint_id: endpoint, stream: `s${n}`, failing, busy }));
const ample = { perEndpoint: 5, perTenant: 100, slots: 100, failingSlots: 100 };
const counted = (chosen: readonly DueLane[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(chosen, (lane) => lane.endpoint_id)].map(([endpoint, its]) => [endpoint, its.length]),
  );

describe('The choice of lanes', () => {
  it('takes as many of an endpoint as may be under way', () => {
    expect(counted(chooseLanes([...lanes('a', 9), ...lanes('b', 9, 3)], ample))).toEqual({ a: 5, b: 2 });
    expect(chooseLanes(lanes('a', 9, 5), ample)).toEqual([]);
  });

  it('takes one at a time of an endpoint that fails', () => {
    expect(counted(chooseLanes([...lanes('a', 9, 0, true), ...lanes('b', 2)], ample))).toEqual({
      a: 1,
      b: 2,
    });
    expect(chooseLanes(lanes('a', 9, 1, true), ample)).toEqual([]);
  });

  it('leaves every endpoint its first, however much of the tenant is under way', () => {
    const limits = { ...ample, perTenant: 4 };
    const due = [...lanes('hangs', 9, 5), ...lanes('a', 3), ...lanes('b', 3)];
    expect(counted(chooseLanes(due, limits))).toEqual({ a: 1, b: 1 });
    expect(counted(chooseLanes([...lanes('a', 9), ...lanes('b', 9)], limits))).toEqual({ a: 2, b: 2 });
  });

  it('lets endpoints take turns for the room that the process has', () => {
    const due = [...lanes('a', 9), ...lanes('b', 9), ...lanes('c', 1)];
    expect(counted(chooseLanes(due, { ...ample, slots: 5 }))).toEqual({ a: 2, b: 2, c: 1 });
    expect(chooseLanes(due, { ...ample, slots: 0 })).toEqual([]);
  });

  it('leaves room for endpoints that do not fail', () => {
    const due = [...lanes('x', 1, 0, true), ...lanes('y', 1, 0, true), ...lanes('a', 2)];
    expect(counted(chooseLanes(due, { ...ample, failingSlots: 1 }))).toEqual({ x: 1, a: 2 });
  });
});
