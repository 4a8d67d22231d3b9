/** A lane that is due. `failing`: nothing but failures has come of its endpoint of late. */
export interface DueLane {
  readonly endpoint_id: string;
  readonly stream: string;
  readonly failing: boolean;
  /** Deliveries of the endpoint that are under way, in all processes. */
  readonly busy: number;
}

/** How much may be under way. */
export interface ClaimLimits {
  /** Of one endpoint. One that fails is tried by one delivery at a time, so that it takes up no more than that. */
  readonly perEndpoint: number;
  /** Of the tenant, besides the first of each endpoint. */
  readonly perTenant: number;
  /** What this process has room for, and of that for endpoints that fail: those take the longest. */
  readonly slots: number;
  readonly failingSlots: number;
}

/**
 * Which of the due lanes to take, given those of each endpoint in the order in which they are due.
 *
 * Every endpoint may have one delivery under way whatever the others do: an endpoint that hangs takes up what it has, and
 * cannot take what another would begin with. Beyond that endpoints take turns.
 */
export function chooseLanes(due: readonly DueLane[], limits: ClaimLimits): DueLane[] {
  const endpoints = [...Map.groupBy(due, (lane) => lane.endpoint_id).values()];
  const underWay = endpoints.reduce((sum, [lane]) => sum + (lane?.busy ?? 0), 0);
  const chosen: DueLane[] = [];
  let { slots, failingSlots } = limits;
  let shared = limits.perTenant - underWay;
  for (let turn = 0; turn < limits.perEndpoint; turn += 1) {
    for (const lanes of endpoints) {
      const lane = lanes[turn];
      if (!lane || slots === 0) continue;
      const nth = lane.busy + turn + 1;
      if (nth > (lane.failing ? 1 : limits.perEndpoint)) continue;
      if (lane.failing && failingSlots === 0) continue;
      if (nth > 1 && shared <= 0) continue;
      chosen.push(lane);
      slots -= 1;
      shared -= 1;
      if (lane.failing) failingSlots -= 1;
    }
  }
  return chosen;
}
