import type { Room } from './delivery-work';

/** What is under way, as far as it takes room. */
export interface Occupant {
  readonly tenantId: string;
  readonly failing: boolean;
}

/** Sockets, and a kilobyte or two each. A hundred hold 15 s at worst, so endpoints that fail get no more than a quarter. */
const SLOTS = 256;
const FAILING_SLOTS = 64;
/** Of endpoints that fail, those of one tenant. */
const FAILING_TENANT_SLOTS = 16;
/** Kept for tenants that have nothing under way: each may begin with one, and with one to an endpoint that fails. */
const SLOTS_MAX = 512;

/**
 * What this process has room for, of one tenant: its share of what is left, by how many tenants have something under way,
 * such that the share of one more is left over. In any case a tenant has its first delivery, and its first to an endpoint
 * that fails does not wait for those of others: whoever owns many endpoints that hang, or answer after a long time, takes nothing of what another would
 * begin with.
 */
export function roomFor(tenantId: string, occupants: readonly Occupant[], claims: number): Room {
  const mine = occupants.filter((occupant) => occupant.tenantId === tenantId);
  if (occupants.length >= SLOTS_MAX) return { slots: 0, failingSlots: 0 };
  const tenants = new Set(occupants.map((occupant) => occupant.tenantId)).add(tenantId).size;
  const share = Math.floor(SLOTS / (tenants + 1)) - mine.length;
  // Claims that are under way at the same time take the same room.
  const free = Math.ceil((SLOTS - occupants.length) / claims);
  const failing = occupants.filter((occupant) => occupant.failing);
  const myFailing = mine.filter((occupant) => occupant.failing).length;
  const freeFailing = Math.ceil((FAILING_SLOTS - failing.length) / claims);
  const failingSlots = atLeast(Math.min(freeFailing, FAILING_TENANT_SLOTS - myFailing), myFailing);
  return { slots: atLeast(Math.min(free, share), mine.length), failingSlots };
}

/** Whether a claim for the tenant could take anything. */
export function hasRoom(tenantId: string, occupants: ReadonlyMap<unknown, Occupant>): boolean {
  if (occupants.size < SLOTS) return true;
  return occupants.size < SLOTS_MAX && ![...occupants.values()].some((each) => each.tenantId === tenantId);
}

function atLeast(room: number, held: number): number {
  return Math.max(held === 0 ? 1 : 0, room);
}
