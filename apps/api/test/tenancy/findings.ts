import { Canaries, differInTime, judgeForeignAnswer, median } from './answers';
import { Unexercised } from './owner';
import type { Reply, Route } from './route';

/** Collects what the matrix finds; a message begins with the name of its route. */
export class Findings {
  readonly leaks = new Set<string>();
  readonly unexercised = new Map<string, string>();
  private readonly times: { readonly ratio: number; readonly text: string }[] = [];

  constructor(readonly canaries: Canaries) {}

  /** Does work for a route; a route that could not be exercised is noted as a blind spot. */
  async attempt(route: Route, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Unexercised)) throw error;
      this.unexercised.set(route.name, error.message);
    }
  }

  leak(route: Route, what: string, fault: string): void {
    this.leaks.add(`${route.name}: ${what}: ${fault}`);
  }

  /** Two answers that must be alike and show nothing of the victim. */
  compare(
    route: Route,
    what: string,
    [foreign, unknown]: readonly [Reply, Reply],
    sent: readonly string[] = [],
  ): void {
    for (const fault of judgeForeignAnswer(foreign, unknown)) this.leak(route, what, fault);
    for (const reply of [foreign, unknown]) this.search(route, what, reply, sent);
  }

  /** An answer to the attacker that must show nothing of the victim but what the attacker has sent itself. */
  search(route: Route, what: string, reply: Reply, sent: readonly string[] = []): void {
    for (const canary of this.canaries.in(reply))
      if (!sent.includes(canary)) this.leak(route, what, `shows ${canary}`);
  }

  /** Compares times of pairs of answers; true while they look different, so that more pairs can decide. */
  isSlower(pairs: readonly (readonly [Reply, Reply])[]): boolean {
    return differInTime(...medians(pairs));
  }

  noteTimes(route: Route, what: string, pairs: readonly (readonly [Reply, Reply])[]): void {
    const [one, other] = medians(pairs);
    const text = `${one.toFixed(1)} ms, unknown ${other.toFixed(1)} ms`;
    this.times.push({ ratio: Math.max(one / other, other / one), text: `${route.name}: ${what}: ${text}` });
    if (this.isSlower(pairs)) this.leak(route, what, `takes ${text}`);
  }

  /** The pairs whose times differed most. */
  widest(count: number): string[] {
    const ordered = this.times.toSorted((one, other) => other.ratio - one.ratio);
    return ordered.slice(0, count).map(({ text }) => text);
  }
}

function medians(pairs: readonly (readonly [Reply, Reply])[]): [number, number] {
  return [median(pairs.map(([foreign]) => foreign.ms)), median(pairs.map(([, unknown]) => unknown.ms))];
}
