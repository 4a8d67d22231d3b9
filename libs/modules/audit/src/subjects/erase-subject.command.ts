import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, listSubjectStores, type TenantTx } from '@holdfast/tenancy';
import { insertTask } from '@holdfast/tasks';
import { CommandHandler } from '@nestjs/cqrs';
import { UnderLegalHold } from '../holds/holds.errors';
import { isHeld, lockHolds } from '../holds/legal-holds.sql';
import { beginSubjectErasure, lockSubjectErasure } from './subject-erasures.sql';
import { listRelated, showSubject, type SubjectView } from './subject.query';
import { SubjectInUse } from './subjects.errors';
import { subjectErasureRequested } from './subjects.events';

/**
 * Erases what is held of a person: rows of modules at once, copies and what events said by a task of the worker. Ordered while
 * that is under way it changes nothing; ordered again later, it looks once more. Throws NotFound, UnderLegalHold and
 * SubjectInUse.
 */
export class EraseSubject extends TenantCommand<{ readonly id: string }, SubjectView> {
  readonly scope = 'personal:write';
}

@CommandHandler(EraseSubject)
export class EraseSubjectHandler extends TenantCommandHandler<EraseSubject> {
  protected async handle(tx: TenantTx, { input: { id } }: EraseSubject): Promise<SubjectView> {
    await lockHolds(tx);
    const known = await showSubject(tx, id);
    const erasure = await lockSubjectErasure(tx, id);
    if (erasure?.status === 'erasing') return known;
    // Looked for anew: what an earlier erasure found may have grown since.
    const related = [...new Set([...known.relatedIds, ...(await listRelated(tx, id))])];
    const subjects = [id, ...related];
    if (await isHeld(tx, subjects)) throw new UnderLegalHold();
    for (const store of listSubjectStores())
      if (await store.isInUse?.(tx, subjects)) throw new SubjectInUse();
    const { stream_version: version } = await beginSubjectErasure(tx, id, related);
    for (const store of listSubjectStores()) await store.eraseRows?.(tx, subjects);
    await insertTask(tx, 'subject-erasure', id);
    await tx.announce(announcement(subjectErasureRequested, { id, version }, { relatedIds: related }));
    return showSubject(tx, id);
  }
}
