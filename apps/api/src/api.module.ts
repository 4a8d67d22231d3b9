import type { TelemetryStore } from '@holdfast/clickhouse';
import { AuditModule, WitnessesModule } from '@holdfast/audit';
import { MessagesModule } from '@holdfast/cqrs';
import type { Database } from '@holdfast/database';
import { DeliveryModule, EventGroupsModule, QueuesModule } from '@holdfast/delivery';
import { DrillsModule, type SharedDrills } from '@holdfast/drills';
import { graphqlModule } from '@holdfast/http';
import { IdentityModule, type OperatorKey, type TrustedIssuer } from '@holdfast/identity';
import type { UserActivity } from '@holdfast/ingest';
import type { QueueDashboardOptions } from '@holdfast/jobs';
import { LedgerModule } from '@holdfast/ledger';
import { PaymentsModule } from '@holdfast/payments';
import { ActivityModule, TelemetryModule, WriteKeysModule, type WriteKeysOptions } from '@holdfast/telemetry';
import { type Limits, LimitsModule } from '@holdfast/limits';
import { SteeringModule } from '@holdfast/steering';
import type { SagaRunner } from '@holdfast/sagas';
import type { Grants, TenantDatabase } from '@holdfast/tenancy';
import { TenantsModule } from '@holdfast/tenants';
import { WebhooksModule, type WebhookSettings } from '@holdfast/webhooks';
import { type DynamicModule, Module } from '@nestjs/common';

/** What the API's modules stand on. */
export interface ApiParts {
  readonly tenants: TenantDatabase;
  readonly grants: Grants;
  readonly ops: Database;
  readonly telemetry: TelemetryStore;
  readonly writeKeys: WriteKeysOptions;
  readonly activity: UserActivity;
  /** Goes on with the sagas that requests begin; workers take up what it has no room for. */
  readonly sagas: SagaRunner;
  readonly operatorKeys: readonly OperatorKey[];
  readonly issuers: readonly TrustedIssuer[];
  readonly isSignUpEnabled: boolean;
  readonly webhooks: WebhookSettings;
  readonly witnesses: Parameters<typeof WitnessesModule.forRoot>[0];
  readonly graphiql: boolean;
  readonly drills: SharedDrills;
  /** Whether drills have to be confirmed. */
  readonly isProduction?: boolean;
  /** Absent: there is no dashboard of the queues. */
  readonly queues?: Omit<QueueDashboardOptions, 'basePath'> | undefined;
  /** Absent: nobody is limited. */
  readonly limits: Limits | undefined;
}

/** The API: one line for each module that tenants can call. */
@Module({})
export class ApiModule {
  static forRoot({
    tenants,
    grants,
    ops,
    telemetry,
    writeKeys,
    activity,
    sagas,
    operatorKeys,
    issuers,
    isSignUpEnabled,
    webhooks,
    witnesses,
    graphiql,
    drills,
    isProduction = false,
    queues,
    limits,
  }: ApiParts): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        MessagesModule.forRoot(tenants),
        IdentityModule.forRoot(grants, operatorKeys, issuers),
        // Behind identity: its guard has to know who calls.
        ...(limits ? [LimitsModule.forRoot(limits)] : []),
        TenantsModule.forRoot(ops, isSignUpEnabled),
        LedgerModule,
        SteeringModule,
        PaymentsModule.forRoot(sagas),
        AuditModule,
        WitnessesModule.forRoot(witnesses),
        DeliveryModule,
        DrillsModule.forRoot({ isProduction, drills }),
        ...(queues ? [QueuesModule.forRoot(queues)] : []),
        EventGroupsModule.forRoot(ops),
        WebhooksModule.forRoot(webhooks),
        TelemetryModule.forRoot(telemetry),
        WriteKeysModule.forRoot(writeKeys),
        ActivityModule.forRoot(activity),
        graphqlModule({ graphiql }),
      ],
    };
  }
}
