import { AddressPolicy } from '@holdfast/outgoing';
import { type DynamicModule, Module } from '@nestjs/common';
import '../audit.aggregates';
import { AddWitnessHandler } from './add-witness.command';
import { CONFIGURED_WITNESSES } from './configured-witnesses';
import { RemoveWitnessHandler } from './remove-witness.command';
import type { WitnessSettings } from './witness';
import { WitnessesController } from './witnesses.controller';
import { WitnessesHandler } from './witnesses.query';
import { WitnessesResolver } from './witnesses.resolver';

/** Who cosigns the logs. Offering checkpoints is the worker's: see WitnessRounds. */
@Module({})
export class WitnessesModule {
  static forRoot({ configured, allowedNetworks }: WitnessSettings): DynamicModule {
    return {
      module: WitnessesModule,
      controllers: [WitnessesController],
      providers: [
        { provide: AddressPolicy, useValue: new AddressPolicy(allowedNetworks) },
        { provide: CONFIGURED_WITNESSES, useValue: configured },
        AddWitnessHandler,
        RemoveWitnessHandler,
        WitnessesHandler,
        WitnessesResolver,
      ],
    };
  }
}
