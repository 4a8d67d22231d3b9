import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Points between two steps of the way from a commit to its effects, each between two awaits. A process that ends, stops
 * or sleeps at any of them must neither lose an event nor double one; the suite of faults in apps/worker/test tries each.
 */
export const STEPS = [
  'sequencer.leased',
  'sequencer.ticked',
  'relay.swept',
  'relay.enqueued',
  'tenant-delivery.locked',
  'tenant-delivery.occupied',
  'tenant-delivery.rewound',
  'tenant-delivery.read',
  'tenant-delivery.applied',
  'tenant-delivery.moved',
  'tenant-delivery.committed',
  'tenant-delivery.failed',
  'parked-delivery.locked',
  'parked-delivery.applied',
  'parked-delivery.settled',
  'parked-delivery.committed',
  'parked-delivery.failed',
  'store-delivery.recorded',
  'store-delivery.locked',
  'store-delivery.stored',
  'store-delivery.moved',
  'store-delivery.committed',
  'store-delivery.failed',
  'store-parking.recorded',
  'store-parking.locked',
  'store-parking.stored',
  'store-parking.settled',
  'store-parking.committed',
  'store-parking.failed',
  'sealer.leased',
  'sealer.renewing',
  'sealer.renewed',
  'sealer.read',
  'sealer.hashed',
  'sealer.written',
  'sealer.committed',
  'sealer.placed',
  'sealer.positioned',
  'sealer.reread',
  'sealer.remembered',
  'sealer.stored',
] as const;

/** The name of a step: `<part>.<what has just been done>`. */
export type Step = (typeof STEPS)[number];

/** What a process does to itself when it passes a step for the `pass`-th time. */
export interface Fault {
  readonly step: string;
  /** SIGKILL; SIGSTOP, until somebody sends SIGCONT; a sleep of `sleepMs`; or nothing but the line. */
  readonly action: 'kill' | 'stop' | 'sleep' | 'note';
  readonly sleepMs: number;
  readonly pass: number;
}

/** A fault names a step that there is not. */
export class UnknownStep extends Error {
  override readonly name = 'UnknownStep';
}

let injected: readonly Fault[] = [];
const passes = new Map<Step, number>();

/**
 * Switches faults on for this process; a list that is empty switches them off. Configuration refuses any in production.
 * Throws UnknownStep.
 */
export function injectFaults(faults: readonly Fault[]): void {
  const unknown = faults.find(({ step }) => !(STEPS as readonly string[]).includes(step));
  if (unknown) throw new UnknownStep(`there is no step ${unknown.step}; there are ${STEPS.join(', ')}`);
  injected = faults;
  passes.clear();
}

/** Marks a point between two steps. Nothing happens there unless a test has switched a fault on. */
export function at(step: Step): Promise<void> | undefined {
  return injected.length === 0 ? undefined : pass(step);
}

async function pass(step: Step): Promise<void> {
  const count = (passes.get(step) ?? 0) + 1;
  passes.set(step, count);
  for (const fault of injected) {
    if (fault.step !== step || fault.pass !== count) continue;
    // At once and in order, for the process may be gone with the next line: by this the test knows that the fault landed.
    writeSync(2, `fault: ${fault.action} at ${step}, pass ${count}\n`);
    if (fault.action === 'kill') process.kill(process.pid, 'SIGKILL');
    if (fault.action === 'stop') process.kill(process.pid, 'SIGSTOP');
    if (fault.action === 'sleep') await sleep(fault.sleepMs);
  }
}
