import { prepareTemplate, TcpProxy } from '@holdfast/testing';
import { type Following, PostgresPair } from '../ledger-faults/postgres-pair';

/** A pair of PostgreSQL, the way of everybody to whoever is its primary, and the wire between the two. */
export class FailoverStage {
  private constructor(
    readonly pair: PostgresPair,
    private readonly door: TcpProxy,
    /** Between the primary and its standby. */
    readonly wire: TcpProxy,
  ) {}

  static async open(follows: Following): Promise<FailoverStage> {
    const pair = await PostgresPair.start();
    const stage = new FailoverStage(pair, await TcpProxy.start(pair.port), await TcpProxy.start(pair.port));
    await prepareTemplate(stage.url);
    await stage.join(follows);
    return stage;
  }

  /** Where the primary is found, whichever of the two it is. */
  get url(): string {
    const url = new URL(this.pair.url());
    url.port = String(this.door.port);
    return url.href;
  }

  /** Gives the primary a standby, which follows over the wire. */
  join(follows: Following): Promise<void> {
    this.wire.retarget(this.pair.port);
    return this.pair.join({ ...follows, through: this.wire.port });
  }

  /** Kills the primary for good and promotes its standby. */
  async failOver(): Promise<void> {
    await this.pair.failOver();
    await this.wire.set('pass');
    this.door.retarget(this.pair.port);
  }

  async close(): Promise<void> {
    await this.door.close();
    await this.wire.close();
    await this.pair.close();
  }
}
