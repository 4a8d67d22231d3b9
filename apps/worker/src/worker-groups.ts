import type { TelemetryStore } from '@holdfast/clickhouse';
import { AuditExportTask, dailyAuditTasks, findLegalHold, SubjectErasureTask } from '@holdfast/audit';
import type { WorkerConfig } from '@holdfast/config';
import type { Database } from '@holdfast/database';
import type { Consumers, Report, StoreConsumer, TenantConsumer } from '@holdfast/events';
import type { KafkaConsumer } from '@holdfast/kafka';
import { findOpenHolds } from '@holdfast/ledger';
import { findOpenSaga } from '@holdfast/sagas';
import { ClickHouseConsumer } from '@holdfast/telemetry';
import type { TaskKindOfWork } from '@holdfast/tasks';
import { ErasureTask, ExportTask, ReceiptSigner, UsageConsumer } from '@holdfast/tenants';
import type { Vault } from '@holdfast/vault';
import type { WebhookDelivery } from '@holdfast/webhooks';

/** What consumers need of their process. */
export interface ConsumerParts {
  readonly config: WorkerConfig;
  readonly telemetry: TelemetryStore;
  /** Absent: no Kafka. */
  readonly kafka: KafkaConsumer | undefined;
  readonly webhooks: WebhookDelivery;
}

/** Every consumer group. Each declares itself where its class is. */
export function consumersOf({
  telemetry,
  kafka,
  webhooks,
}: ConsumerParts): readonly (TenantConsumer | StoreConsumer)[] {
  return [
    new UsageConsumer(),
    new ClickHouseConsumer(telemetry),
    webhooks.consumer,
    ...(kafka ? [kafka] : []),
  ];
}

/** What tasks need of their process. */
export interface TaskParts {
  readonly config: WorkerConfig;
  readonly relay: Database;
  readonly telemetry: TelemetryStore;
  readonly consumers: Consumers;
  readonly eraseAfterSeconds: number | undefined;
  /** Absent: personal values of events are kept nowhere. */
  readonly vault: Vault | undefined;
  readonly report: Report;
}

const KEPT_IN_KAFKA = 'events, which name no person, until the retention of their topics has passed';

/** Every kind of task that takes longer than a transaction. A store, or a reason not to erase, is added here. */
export async function taskKinds(parts: TaskParts): Promise<readonly TaskKindOfWork<never>[]> {
  const { config, relay, telemetry, consumers, eraseAfterSeconds, vault } = parts;
  const { receiptKeyPrivate } = config;
  const erasure = new ErasureTask({
    relay,
    stores: [new ClickHouseConsumer(telemetry)],
    keepers: config.kafkaBrokers === undefined ? [] : [{ name: 'kafka', keeps: KEPT_IN_KAFKA }],
    blockers: [findOpenHolds, findOpenSaga, findLegalHold],
    forget: async (tenantId) => {
      await consumers.forget(tenantId);
      await vault?.destroyTenant(tenantId);
    },
    signer: receiptKeyPrivate === undefined ? undefined : await ReceiptSigner.from(receiptKeyPrivate),
    ...(eraseAfterSeconds !== undefined && { quietSeconds: eraseAfterSeconds }),
  });
  return [
    new ExportTask(),
    new AuditExportTask({ log: config.auditLogName }),
    ...dailyAuditTasks(parts.report),
    erasure,
    new SubjectErasureTask({
      vault,
      eraseElsewhere: (tenantId, subjects) => telemetry.eraseUsers(tenantId, subjects),
    }),
  ];
}
