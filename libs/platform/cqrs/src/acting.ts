import type { Caller } from '@holdfast/kernel';

const acting = new WeakSet<Caller>();

/** Callers are made for a request each. */
export function noteActing(caller: Caller): void {
  acting.add(caller);
}

/** Whether the request of this caller has asked for a command, whatever came of it: queries leave no event to trace. */
export function hasActed(caller: Caller): boolean {
  return acting.has(caller);
}
