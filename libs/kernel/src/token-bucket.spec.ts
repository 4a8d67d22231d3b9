import { array, assert, constant, double, integer, oneof, option, property, record } from 'fast-check';
import { type BucketShape, type Taking, takeTokens } from './token-bucket';

const MICRO = 1_000_000n;

/** A bucket as a book describes it, in whole numbers: millionths of a token that flow in each microsecond, up to the size. */
class Bucket {
  private level: bigint;
  private atUs = 0n;

  constructor(private readonly shape: BucketShape) {
    this.level = BigInt(shape.size) * MICRO;
  }

  /** How much is there; less than nothing where it is overdrawn. */
  levelAt(us: bigint): bigint {
    const full = BigInt(this.shape.size) * MICRO;
    const flown = this.level + (us - this.atUs) * BigInt(this.shape.perSecond);
    this.level = flown > full ? full : flown;
    this.atUs = us;
    return this.level;
  }

  take(tokens: number): void {
    this.level -= BigInt(tokens) * MICRO;
  }
}

const upTo = (few: number, many: number) =>
  oneof(integer({ min: 1, max: few }), integer({ min: 1, max: many }));
const shapes = record({ size: upTo(50, 2_000_000), perSecond: upTo(50, 200_000) });
/** Microseconds since the one before, and what it costs: a part of the size, or a few tokens. */
const requests = array(
  record({
    afterUs: oneof(constant(0), upTo(5_000, 20_000_000)),
    part: double({ min: 0, max: 2, noNaN: true }),
    few: option(integer({ min: 0, max: 3 })),
  }),
  { maxLength: 60 },
);

/** Takes from the bucket and from that of the book, and holds the two against each other. */
class Comparison {
  private readonly book: Bucket;
  /** What counts as even: two microseconds' flow, and what doubles cannot say of instants of this size. */
  private readonly margin: bigint;
  private fullAtMs = 0;
  private us = 0n;

  constructor(private readonly shape: BucketShape) {
    this.book = new Bucket(shape);
    this.margin = BigInt(shape.perSecond) * 2n + 1_000n;
  }

  /** Answers what the two differ in, or nothing. */
  take(afterUs: number, cost: number, needed: number): string | undefined {
    this.us += BigInt(afterUs);
    const nowMs = Number(this.us) / 1_000;
    const missing = BigInt(needed) * MICRO - this.book.levelAt(this.us);
    const taking = takeTokens(this.shape, this.fullAtMs, nowMs, cost, needed);
    if (missing > this.margin && taking.isAdmitted) return 'it passes, and too little is there';
    if (missing < -this.margin && !taking.isAdmitted) return 'it is refused, and enough is there';
    if (!taking.isAdmitted) return this.differenceOfRefusal(taking, nowMs, cost, needed);
    this.book.take(cost);
    this.fullAtMs = taking.fullAtMs;
    const left = this.book.levelAt(this.us);
    const isRight =
      taking.remaining >= wholeTokens(left - this.margin) &&
      taking.remaining <= wholeTokens(left + this.margin);
    return isRight ? undefined : `${taking.remaining} tokens remain, and ${wholeTokens(left)} do`;
  }

  /** A refusal takes nothing. It passes after the wait, which is rounded up to a millisecond and no longer than that. */
  private differenceOfRefusal(
    taking: Taking,
    nowMs: number,
    cost: number,
    needed: number,
  ): string | undefined {
    if (taking.fullAtMs !== this.fullAtMs || taking.remaining !== 0) return 'a refusal takes something';
    const passesIn = (ms: number): boolean =>
      takeTokens(this.shape, this.fullAtMs, nowMs + ms, cost, needed).isAdmitted;
    const isRight = passesIn(taking.waitMs) && !passesIn(taking.waitMs - 1.01);
    return isRight || needed > this.shape.size ? undefined : `${taking.waitMs} ms is not the time to wait`;
  }
}

function wholeTokens(level: bigint): number {
  return Math.max(0, Math.floor(Number(level) / Number(MICRO)));
}

/** Guards both limits that are made of it: of requests, and of telemetry's events, of which a request may bring more than are there. */
describe.each([
  ['what a request costs has to be there', (cost: number) => cost],
  ['one token has to be there, and a request may overdraw', () => 1],
])('A token bucket of which %s', (_, neededFor: (cost: number) => number) => {
  it('admits, refuses and counts as that of the book does, at any times', () => {
    const compares = property(shapes, requests, (shape, asked) => {
      const comparison = new Comparison(shape);
      for (const { afterUs, part, few } of asked) {
        const cost = few ?? Math.round(part * shape.size);
        expect(comparison.take(afterUs, cost, neededFor(cost))).toBeUndefined();
      }
    });
    assert(compares, { numRuns: 500 });
  });
});
