import { TelemetryStore } from '@holdfast/clickhouse';
import { type DynamicModule, Module } from '@nestjs/common';
import { TelemetryEventsHandler } from './telemetry-events.query';
import { TelemetrySeriesHandler } from './telemetry-series.query';
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
        TelemetryResolver,
      ],
    };
  }
}
