import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { keyNameOf } from './add-witness.command';
import { witnessRemoved } from './witnesses.events';
import { deleteWitness } from './witnesses.sql';

interface Named {
  readonly id: string;
}

/** Offers a witness of the tenant's own nothing more. What it has cosigned stays. Throws NotFound. */
export class RemoveWitness extends TenantCommand<Named, Named> {
  readonly scope = 'audit:write';
}

@CommandHandler(RemoveWitness)
export class RemoveWitnessHandler extends TenantCommandHandler<RemoveWitness> {
  protected async handle(tx: TenantTx, { input: { id } }: RemoveWitness): Promise<Named> {
    const verifierKey = await deleteWitness(tx, id);
    const named = { key: keyNameOf(verifierKey) };
    await tx.announce(announcement(witnessRemoved, { id, version: 2n }, named));
    return { id };
  }
}
