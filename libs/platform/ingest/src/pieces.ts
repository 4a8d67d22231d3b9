import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work that may stop for others wherever it yields, and ends with a result. */
export type Pieces<Result> = Generator<undefined, Result, undefined>;

/** Does all of it in one turn of the event loop, during which nobody is answered. */
export function atOnce<Result>(pieces: Pieces<Result>): Result {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/** Does it, and whatever else is due between two pieces. */
export async function inTurns<Result>(pieces: Pieces<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
    await nextTurn();
  }
}
