import { TelemetryStore } from '@holdfast/clickhouse';
import { type DynamicModule, Module } from '@nestjs/common';
import { TelemetryEventsHandler } from './telemetry-events.query';
import { TelemetryFiguresResolver } from './telemetry-figures.resolver';
import { TelemetryFunnelHandler } from './telemetry-funnel.query';
import { TelemetryIngestHandler } from './telemetry-ingest.query';
import { TelemetrySeriesHandler } from './telemetry-series.query';
import { TelemetryTopHandler } from './telemetry-top.query';
import { TelemetryUsersHandler } from './telemetry-users.query';
import { TelemetryController } from './telemetry.controller';
import { TelemetryResolver } from './telemetry.resolver';

/** Reading telemetry. The store is the process's to open and to close. */
@Module({})
export class TelemetryModule {
  static forRoot(store: TelemetryStore): DynamicModule {
    return {
      module: TelemetryModule,
      controllers: [TelemetryController],
      providers: [
        { provide: TelemetryStore, useValue: store },
        TelemetryEventsHandler,
        TelemetrySeriesHandler,
        TelemetryTopHandler,
        TelemetryUsersHandler,
        TelemetryFunnelHandler,
        TelemetryIngestHandler,
        TelemetryResolver,
        TelemetryFiguresResolver,
      ],
    };
  }
}
