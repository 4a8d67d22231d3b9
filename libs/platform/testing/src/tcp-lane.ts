import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** How a lane treats what comes, at the moment when it is its turn. */
export interface LaneWeather {
  /** Resolves once the network passes anything on again. */
  passable(): Promise<void>;
  /** How much later than it came the next chunk arrives, in milliseconds. */
  latenessMs(): number;
  /** In pieces of so many bytes, each a packet of its own; undefined: as it came. */
  sliceBytes(): number | undefined;
}

interface Chunk {
  readonly bytes: Buffer;
  readonly dueAtMs: number;
}

/** One direction of a connection: what is put in comes out in order, whatever the weather does to it on its way. */
export class TcpLane {
  private readonly chunks: Chunk[] = [];
  private lastDueAtMs = 0;
  private isEnding = false;
  private isMoving = false;

  constructor(
    private readonly to: Socket,
    private readonly weather: LaneWeather,
  ) {}

  put(bytes: Buffer): void {
    // Behind what came before it: a network that delays does not reorder what one connection sends.
    this.lastDueAtMs = Math.max(this.lastDueAtMs, performance.now() + this.weather.latenessMs());
    this.chunks.push({ bytes, dueAtMs: this.lastDueAtMs });
    void this.move();
  }

  /** The sender has closed: the receiver hears of it behind all that is on its way. */
  end(): void {
    this.isEnding = true;
    void this.move();
  }

  private async move(): Promise<void> {
    if (this.isMoving) return;
    this.isMoving = true;
    for (;;) {
      await this.weather.passable();
      const chunk = this.chunks.shift();
      if (!chunk) break;
      const waitMs = chunk.dueAtMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      await this.weather.passable();
      await this.write(chunk.bytes);
    }
    this.isMoving = false;
    if (this.isEnding) this.to.end();
  }

  private async write(bytes: Buffer): Promise<void> {
    const sliceBytes = this.weather.sliceBytes();
    if (sliceBytes === undefined) {
      this.to.write(bytes);
      return;
    }
    for (let from = 0; from < bytes.length; from += sliceBytes) {
      this.to.write(bytes.subarray(from, from + sliceBytes));
      await nextTurn();
    }
  }
}
