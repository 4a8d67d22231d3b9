import { idSchema, InvalidInput, newId, NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { isBeingErased } from '../subjects/subject-erasures.sql';
import { showSubject } from '../subjects/subject.query';
import { ErasureUnderWay } from './holds.errors';
import { legalHoldPlaced } from './holds.events';
import { type LegalHoldView, showLegalHold } from './legal-hold';
import { insertLegalHold, lockHolds } from './legal-holds.sql';

/** What POST /v1/audit/legal-holds takes. */
export const placeLegalHoldInput = z.strictObject({
  subjectId: idSchema.nullish().meta({
    description: 'Who may not be erased: a member’s id, say. Left out: the whole tenant, and its log.',
  }),
  reason: z
    .string()
    .trim()
    .min(1)
    .max(1_000)
    .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.')
    .meta({ description: 'Why, for whoever has to decide when to lift it. It is in no event.' }),
});

/** Keeps a person, or everything of the tenant, from being erased. Throws ErasureUnderWay, and InvalidInput at /subjectId. */
export class PlaceLegalHold extends TenantCommand<z.output<typeof placeLegalHoldInput>, LegalHoldView> {
  readonly scope = 'personal:write';
}

@CommandHandler(PlaceLegalHold)
export class PlaceLegalHoldHandler extends TenantCommandHandler<PlaceLegalHold> {
  protected async handle(tx: TenantTx, { input }: PlaceLegalHold): Promise<LegalHoldView> {
    const { subjectId = null, reason } = input;
    await lockHolds(tx);
    if (subjectId !== null) await showSubject(tx, subjectId).catch(unknownSubject);
    if (await isBeingErased(tx, subjectId)) throw new ErasureUnderWay();
    const row = await insertLegalHold(tx, { id: newId(), subjectId, reason });
    await tx.announce(announcement(legalHoldPlaced, { id: row.id, version: 1n }, { subjectId }));
    return showLegalHold(row);
  }
}

/** A hold on nobody would be found to be one when it is too late. */
function unknownSubject(error: unknown): never {
  if (!(error instanceof NotFound)) throw error;
  const message = 'Nothing is held of anybody under this id.';
  throw new InvalidInput([{ pointer: '/subjectId', code: 'unknown', message }]);
}
