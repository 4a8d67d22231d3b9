import {
  BatchRefusedBySink,
  type TelemetryBatch,
  type TelemetryRow,
  type TelemetrySink,
} from '@holdfast/ingest';
import { LRUCache } from 'lru-cache';
import { type Broker, type BrokerMessage, MessagesRefused } from './broker';

/** Tokens of batches that are stored: as many as ClickHouse remembers. */
const TOKENS_MAX = 1_000;

/** Nobody else sends under this name, so there is nobody to ask. */
const confirm = (): Promise<void> => Promise.resolve();

/**
 * Kafka as a store of telemetry: one topic, keyed by tenant and user, the lines as values.
 *
 * A batch is a transaction that holds its token. One whose answer was not heard is settled before the next is sent, so that
 * at any time one batch at most is uncertain, and the broker knows that one by its token, also after a restart. Batches go one after
 * the other; whoever reads `read_committed` gets each once.
 */
export class KafkaSink implements TelemetrySink {
  readonly name = 'kafka';
  private readonly stored = new LRUCache<string, true>({ max: TOKENS_MAX });
  /** The token that a process before this one stored last: it may not have heard so. */
  private before: string | undefined;
  private uncertain: TelemetryBatch | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  /** The broker sends under a name that no other ingest has, and that is the same after a restart. It is closed with the sink. */
  constructor(
    private readonly broker: Broker,
    private readonly prefix: string,
  ) {}

  store(batch: TelemetryBatch): Promise<void> {
    const mine = this.turn.then(() => this.storeInTurn(batch));
    this.turn = mine.catch(() => {}); // The next one goes whatever became of this one; the caller hears of it.
    return mine;
  }

  ping(): Promise<void> {
    return this.broker.ping();
  }

  close(): Promise<void> {
    return this.broker.close();
  }

  private async storeInTurn(batch: TelemetryBatch): Promise<void> {
    this.before ??= (await this.broker.lastToken(confirm)) ?? '';
    const { uncertain } = this;
    if (uncertain && uncertain.token !== batch.token) await this.settle(uncertain);
    if (batch.rows.length > 0 && batch.token !== this.before && !this.stored.has(batch.token))
      await this.send(batch);
  }

  /** What the broker refuses was never stored, and whoever sent it will hear so when it comes again. */
  private async settle(batch: TelemetryBatch): Promise<void> {
    try {
      await this.send(batch);
    } catch (error) {
      if (!(error instanceof BatchRefusedBySink)) throw error;
    }
  }

  private async send(batch: TelemetryBatch): Promise<void> {
    const messages = batch.rows.map((row) => messageOf(row, batch.table, `${this.prefix}.telemetry`));
    this.uncertain = batch;
    try {
      await this.broker.produce({ messages, token: batch.token, confirm });
      this.stored.set(batch.token, true);
      this.uncertain = undefined;
    } catch (error) {
      if (!(error instanceof MessagesRefused)) throw error;
      this.uncertain = undefined;
      throw new BatchRefusedBySink('Kafka cannot store a row of the batch', { cause: error });
    }
  }
}

/** What a message's key and headers say of the row. */
interface RowParts {
  readonly user_id?: string;
  readonly anonymous_id?: string;
  readonly message_id?: string;
}

function messageOf({ tenantId, line }: TelemetryRow, table: string, topic: string): BrokerMessage {
  const { user_id, anonymous_id, message_id = '' } = partsOf(line);
  return {
    topic,
    key: `${tenantId}/${user_id || anonymous_id || ''}`,
    value: line,
    headers: { 'content-type': 'application/json', table, tenant_id: tenantId, message_id },
  };
}

function partsOf(line: string): RowParts {
  try {
    return JSON.parse(line) as RowParts;
  } catch (error) {
    throw new BatchRefusedBySink('A row of the batch is not JSON', { cause: error });
  }
}
