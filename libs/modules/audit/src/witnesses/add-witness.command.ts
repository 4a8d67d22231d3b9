import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { AddressPolicy } from '@holdfast/outgoing';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { Inject } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import {
  type addWitnessInput,
  requireWitness,
  showWitness,
  type WitnessPlace,
  WITNESSES_MAX,
  type WitnessView,
} from './witness';
import { CONFIGURED_WITNESSES } from './configured-witnesses';
import { TooManyWitnesses, WitnessExists } from './witnesses.errors';
import { witnessAdded } from './witnesses.events';
import { countWitnesses, insertWitness } from './witnesses.sql';

/** Has somebody cosign the checkpoints of the tenant's log, within minutes. Throws InvalidInput, WitnessExists, TooManyWitnesses. */
export class AddWitness extends TenantCommand<z.output<typeof addWitnessInput>, WitnessView> {
  readonly scope = 'audit:write';
}

@CommandHandler(AddWitness)
export class AddWitnessHandler extends TenantCommandHandler<AddWitness> {
  constructor(
    private readonly policy: AddressPolicy,
    @Inject(CONFIGURED_WITNESSES) private readonly configured: readonly WitnessPlace[],
  ) {
    super();
  }

  protected async handle(tx: TenantTx, { input }: AddWitness): Promise<WitnessView> {
    requireWitness(this.policy, input);
    const { verifierKey, url } = input;
    if (this.configured.some((each) => each.verifierKey === verifierKey)) throw new WitnessExists();
    if ((await countWitnesses(tx)) >= WITNESSES_MAX) throw new TooManyWitnesses(WITNESSES_MAX);
    const id = newId();
    const inserted = await insertWitness(tx, id, input);
    if (!inserted) throw new WitnessExists();
    await tx.announce(announcement(witnessAdded, { id, version: 1n }, { key: keyNameOf(verifierKey) }));
    return showWitness({ ...NOTHING_COSIGNED, id, verifier_key: verifierKey, url, ...inserted }, url);
  }
}

const NOTHING_COSIGNED = {
  epoch: null,
  size: null,
  cosigned_at: null,
  outcome: null,
  tried_at: null,
  waiting_since: null,
};

/** Name and id of an encoded key. */
export function keyNameOf(verifierKey: string): string {
  return verifierKey.split('+', 2).join('+');
}
