import {
  addPartitionsToTxnV3,
  type API,
  type BaseOptions,
  type Callback,
  findErrorBy,
  kGetApi,
  Producer,
} from '@platformatic/kafka';

/** How Kafka is reached, and what topics are like that are made here. */
export interface KafkaOptions {
  /** `host:port`, of some of the brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  /** All topics begin with it and a full stop. Also names the sender: two systems on one Kafka need two prefixes. */
  readonly prefix: string;
  /** Absent: no TLS. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: string;
  };
  readonly topics: { readonly partitions: number; readonly replicas: number; readonly retentionMs: number };
}

/** Texts in and out, as UTF-8. */
const text = (value?: string): Buffer | undefined => (value === undefined ? undefined : Buffer.from(value));
const serializers = { key: text, value: text, headerKey: text, headerValue: text };

/** A request that is not answered by then has failed: several fit into the 7 s of a batch. */
const REQUEST_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** After this the coordinator gives up a transaction whose sender is gone; until then, who reads only what is committed waits. */
const TRANSACTION_TIMEOUT_MS = 10_000;
const RETRIES_MAX = 10;
const RETRY_MS = 200;
/** A transaction is not quite over when its commit is answered. Kafka's own client waits as long. */
const CONCURRENT_RETRY_MS = 20;

/** What all clients of this library have in common. */
export function clientOptions({ brokers, prefix, tls, sasl }: KafkaOptions): BaseOptions {
  return {
    clientId: `${prefix}-worker`,
    bootstrapBrokers: [...brokers],
    autocreateTopics: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retries: RETRIES_MAX,
    retryDelay: (_client, _operation, attempt, _retries, error) =>
      findErrorBy(error, 'apiId', 'CONCURRENT_TRANSACTIONS')
        ? CONCURRENT_RETRY_MS * attempt
        : RETRY_MS * attempt,
    ...(tls && { tls, tlsServerName: true }),
    ...(sasl && { sasl }),
  };
}

/**
 * The client's producer with one correction: of the request that adds partitions to a transaction, versions from 4 on are
 * for brokers among themselves, and a cluster with ACLs refuses them to everybody who may not act as a broker.
 */
export class TransactionalProducer extends Producer<string, string, string, string> {
  constructor(options: KafkaOptions, transactionalId: string) {
    super({
      ...clientOptions(options),
      timeout: TRANSACTION_TIMEOUT_MS,
      idempotent: true,
      transactionalId,
      compression: 'zstd',
      serializers,
    });
  }

  override [kGetApi]<Arguments extends unknown[], Answer>(
    name: string,
    callback: Callback<API<Arguments, Answer>>,
  ): void {
    if (name !== 'AddPartitionsToTxn') return super[kGetApi](name, callback);
    callback(null, addPartitionsToTxnV3.api as never);
  }

  /** Ends all connections at once, also those whose other side does not answer. */
  destroy(): void {
    for (const [, connection] of this.connections) connection.socket?.destroy();
    this.close(true).catch(() => {}); // Nothing is expected from it any more.
  }
}
