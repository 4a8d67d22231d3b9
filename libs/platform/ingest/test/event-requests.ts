/** What is sent over and over: the same events but for the numbers in their ids and the instant at which they were made. */
export interface EventShape {
  /** Events of a request: one goes to `/v1/track`, more to `/v1/batch`. */
  readonly events: number;
  /** Begins the ids of the messages; what nobody else's begin with. */
  readonly run: string;
  readonly writeKey: string;
}

const DIGITS = 9;
const NUMBER_HOLE = '#'.repeat(DIGITS);
const USER_HOLE = '@'.repeat(DIGITS);
const INSTANT_HOLE = '!'.repeat(new Date(0).toISOString().length);
/** Users of a run: as many as make unique counts worth something. */
const USERS = 1_000;

/**
 * Requests as an SDK of Segment makes them, of about 400 bytes an event, each written in place over the one before: to make each
 * anew would cost the sender more than the receiver, and they share the cores.
 */
export class EventRequests {
  private readonly bytes: Buffer;
  private readonly numbers: readonly number[];
  private readonly users: readonly number[];
  private readonly instants: readonly number[];

  constructor(private readonly shape: EventShape) {
    const event = eventOf(shape);
    const body = Buffer.from(
      JSON.stringify(
        shape.events === 1 ? event : { batch: Array.from({ length: shape.events }, () => event) },
      ),
    );
    const head = [
      `POST /v1/${shape.events === 1 ? 'track' : 'batch'} HTTP/1.1`,
      'host: 127.0.0.1',
      'content-type: application/json',
      `authorization: Basic ${Buffer.from(`${shape.writeKey}:`).toString('base64')}`,
      `content-length: ${body.length}`,
      '\r\n',
    ].join('\r\n');
    this.bytes = Buffer.concat([Buffer.from(head), body]);
    this.numbers = placesOf(this.bytes, NUMBER_HOLE);
    this.users = placesOf(this.bytes, USER_HOLE);
    this.instants = placesOf(this.bytes, INSTANT_HOLE);
  }

  /** The request whose events have the numbers from `first`. It is overwritten by the next. */
  write(first: number): Buffer {
    const instant = new Date().toISOString();
    for (const place of this.instants) this.bytes.write(instant, place, 'latin1');
    this.numbers.forEach((place, n) => this.bytes.write(padded(first + n), place, 'latin1'));
    this.users.forEach((place, n) => this.bytes.write(padded((first + n) % USERS), place, 'latin1'));
    return this.bytes;
  }

  /** The id of the message with a number. */
  idOf(number: number): string {
    return `${this.shape.run}-${padded(number)}`;
  }
}

function eventOf({ run, events }: EventShape): object {
  return {
    ...(events > 1 && { type: 'track' }),
    event: 'Order Completed',
    userId: `user-${USER_HOLE}`,
    messageId: `${run}-${NUMBER_HOLE}`,
    timestamp: INSTANT_HOLE,
    properties: {
      orderId: 'c0ffee-1234567',
      plan: 'standard',
      revenue: 129.9,
      currency: 'EUR',
      items: 3,
      coupon: 'autumn-sale',
      isFirst: false,
    },
    context: { library: { name: 'analytics-node', version: '3.1.0' }, locale: 'de-DE', ip: '192.0.2.17' },
  };
}

function placesOf(bytes: Buffer, hole: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(hole); at >= 0; at = bytes.indexOf(hole, at + hole.length)) places.push(at);
  return places;
}

const padded = (number: number): string => String(number).padStart(DIGITS, '0');
