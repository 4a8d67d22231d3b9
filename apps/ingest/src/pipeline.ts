import { ClickHouseSink, RollUps } from '@holdfast/clickhouse';
import type { IngestConfig } from '@holdfast/config';
import { Intake, KeyList, type TelemetrySink, WriteKeyVerifier } from '@holdfast/ingest';
import { KafkaBroker, kafkaOptionsOf, KafkaSink } from '@holdfast/kafka';
import type { Logger } from '@holdfast/observability';
import { senderNameOf } from './sender-name';

const BYTES_PER_MB = 1024 * 1024;

/** What stands behind the routes: who may send, and where it goes. */
export class Pipeline {
  readonly verifier: WriteKeyVerifier;
  readonly keyList: KeyList;
  readonly intake: Intake;
  private readonly rollUps: RollUps;
  private readonly sinks: readonly TelemetrySink[];

  constructor(config: IngestConfig, logger: Logger) {
    const { apiUrl, directory } = config;
    this.verifier = new WriteKeyVerifier(config.writeKeyPublic);
    this.keyList = new KeyList({ verifier: this.verifier, apiUrl, directory, logger });
    this.sinks = sinksOf(config);
    const onError = (err: unknown): void => logger.warn({ err }, 'rolling up tracked events');
    this.rollUps = new RollUps({ url: config.clickhouseUrl }, { onError });
    this.intake = new Intake({
      sinks: this.sinks,
      planOf: (holder) => this.keyList.stateOf(holder).plan,
      isErased: (tenantId) => this.keyList.isErased(tenantId),
      directory,
      spillBytesMax: config.spillMaxMb * BYTES_PER_MB,
      ringBytesMax: config.ringMb * BYTES_PER_MB,
      shed: config.shed,
      report: (err, doing) => logger.warn({ err }, doing),
    });
  }

  start(): void {
    this.keyList.start();
    this.intake.start();
    this.rollUps.start();
  }

  /** Stores what is in memory within the time, and spills the rest. */
  async stop(deadlineMs: number): Promise<void> {
    await this.keyList.stop();
    await this.intake.drain(deadlineMs);
    await Promise.all([this.rollUps.stop(), ...this.sinks.map((sink) => sink.close())]);
  }
}

function sinksOf(config: IngestConfig): TelemetrySink[] {
  const clickhouse = new ClickHouseSink({ url: config.clickhouseUrl });
  const kafka = kafkaOptionsOf(config);
  if (!kafka) return [clickhouse];
  const broker = new KafkaBroker(kafka, senderNameOf(kafka.prefix, config.directory));
  return [clickhouse, new KafkaSink(broker, kafka.prefix)];
}
