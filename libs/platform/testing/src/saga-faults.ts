import { type Caller, Conflict } from '@holdfast/kernel';
import { DatabaseUnavailable, OutcomeUnknown } from '@holdfast/database';
import type { Saga, SagaStep } from '@holdfast/sagas';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';

/** Where something happens: at a transaction of the runner, or when it calls what a remote step calls, there or back. */
export type Place = 'transaction' | 'call';

/**
 * What happens at a place: the process dies before it, or behind its effect; the answer is lost; it is refused, or fails without an
 * effect; the time of the saga and of its step is over when it comes to it; the process is stopped in front of it until another has ended
 * the saga, which went on with it or was asked to cancel it, and goes on: a call arrives behind its cancellation then.
 */
const AT_EACH = [
  ...(['died before', 'died behind', 'lost answer', 'refused', 'unavailable', 'late'] as const),
  ...(['stopped', 'stopped and cancelled'] as const),
] as const;

/** And besides, of a call: its time is over while it is under way; it arrives twice; nobody heard what came of it, and it is cancelled. */
const AT_CALLS = ['timed out', 'twice', 'lost answer and cancelled'] as const;

/** What happens to the process that begins a saga. */
export type SagaFault = (typeof AT_EACH)[number] | (typeof AT_CALLS)[number];

/** A fault at the nth place, counted from 1, that of the beginning. */
export interface PlannedFault {
  readonly at: number;
  readonly fault: SagaFault;
}

/** Every fault at each of these places that is beyond so many. */
export function faultsAt(places: readonly Place[], behind: number): PlannedFault[] {
  return places.flatMap((place, index) => {
    const at = index + 1;
    // What has not begun is not late.
    const faults = [
      ...AT_EACH.filter((fault) => at > 1 || fault !== 'late'),
      ...(place === 'call' ? AT_CALLS : []),
    ];
    return at > behind ? faults.map((fault) => ({ at, fault })) : [];
  });
}

class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

class CallFailed extends Error {
  override readonly name = 'CallFailed';
}

/** What is done at a place, and how that fails. */
interface Doing<T> {
  readonly act: () => Promise<T>;
  readonly refuse: () => Promise<T>;
  readonly away: Error;
  readonly unheard: Error;
  /** With no time left for it. */
  readonly inVain?: () => Promise<T>;
}

/** The pool, and the calls, of a process that things happen to. */
export class UnluckyProcess extends TenantDatabase {
  /** Where it has been. */
  readonly places: Place[] = [];
  readonly landed: PlannedFault[] = [];
  /** Settled where it gets no further by itself. */
  readonly reached = Promise.withResolvers<void>();
  private isDead = false;
  private readonly released = Promise.withResolvers<void>();

  constructor(
    real: TenantDatabase,
    private readonly faults: readonly PlannedFault[],
    /** Ends the time of the saga. */
    private readonly expire: () => Promise<unknown>,
  ) {
    super(real.database);
  }

  /** Lets a stopped process go on. */
  release(): void {
    this.released.resolve();
  }

  /** The saga as this process runs it. */
  running<Input>(saga: Saga<Input>): Saga<Input> {
    return { ...saga, steps: saga.steps.map((step) => this.calling(step)) };
  }

  override transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    const refused = async (tx: TenantTx): Promise<never> => {
      await work(tx);
      throw new Conflict();
    };
    return this.at('transaction', {
      act: () => super.transaction(caller, work),
      refuse: () => super.transaction(caller, refused),
      away: new DatabaseUnavailable(new Error('drilled')),
      unheard: new OutcomeUnknown(new Error('drilled')),
    });
  }

  private calling(step: SagaStep): SagaStep {
    const { call, cancel } = step;
    return {
      ...step,
      call: call && ((ctx: RemoteContext) => this.call(call, ctx)),
      cancel: cancel && ((ctx: RemoteContext) => this.call(cancel, ctx)),
    };
  }

  private call<T>(ask: (ctx: never) => Promise<T>, ctx: RemoteContext): Promise<T> {
    return this.at('call', {
      act: () => ask(ctx as never),
      refuse: () => Promise.reject(new Conflict()),
      away: new CallFailed('drilled: it never arrives'),
      unheard: new CallFailed('drilled: no answer arrives'),
      inVain: () => ask({ ...ctx, signal: AbortSignal.timeout(1) } as never),
    });
  }

  private at<T>(place: Place, doing: Doing<T>): Promise<T> {
    if (this.isDead) return Promise.reject(new ProcessDied());
    const at = this.places.push(place);
    const planned = this.faults.find((fault) => fault.at === at);
    if (!planned) return doing.act();
    this.landed.push(planned);
    return this.fail(planned.fault, doing);
  }

  private async fail<T>(
    fault: SagaFault,
    { act, refuse, away, unheard, inVain = act }: Doing<T>,
  ): Promise<T> {
    if (fault === 'died before') throw this.die();
    if (fault === 'unavailable') throw away;
    if (fault === 'refused') return refuse();
    if (fault === 'timed out') return inVain();
    if (fault === 'late') await this.expire();
    if (fault.startsWith('stopped')) {
      this.reached.resolve();
      await this.released.promise;
    }
    const [result] = await Promise.all([act(), fault === 'twice' && act()]);
    if (fault === 'died behind') throw this.die();
    if (fault.startsWith('lost answer')) throw unheard;
    return result;
  }

  private die(): ProcessDied {
    this.isDead = true;
    this.reached.resolve();
    return new ProcessDied();
  }
}

interface RemoteContext {
  readonly signal: AbortSignal;
}
