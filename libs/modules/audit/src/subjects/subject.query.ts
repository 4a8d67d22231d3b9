import { idSchema, NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { listSubjectStores, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { countValues, findSubjectErasure } from './subject-erasures.sql';

/** What is held of a person, on the wire: how much, never what. */
export const subjectView = z.object({
  id: idSchema,
  relatedIds: z.array(idSchema).meta({
    description: 'Other ids of the same person, which are erased with this one: of invitations, say.',
  }),
  status: z.enum(['kept', 'erasing', 'erased']),
  valueCount: z.int().meta({ description: 'Values that events are committed to and the vault keeps.' }),
  eventCount: z.int().meta({ description: 'The events that those are of.' }),
  rowCount: z.int().meta({ description: 'Rows of modules that hold something of the person.' }),
  requestedAt: z.iso.datetime().nullable(),
  requestedBy: z.string().nullable().meta({ description: 'The actor that ordered the erasure.' }),
  erasedAt: z.iso.datetime().nullable(),
});

/** What is held of a person, on the wire. */
export type SubjectView = z.output<typeof subjectView>;

/** What is held of a person. Throws NotFound for an id under which nothing is, or ever was to be erased. */
export class Subject extends TenantQuery<{ readonly id: string }, SubjectView> {
  readonly scope = 'personal:read';
}

@QueryHandler(Subject)
export class SubjectHandler implements IQueryHandler<Subject> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input: { id } }: Subject): Promise<SubjectView> {
    return this.tenants.reading(caller, (tx) => showSubject(tx, id));
  }
}

/** Looks at every store. Throws NotFound. */
export async function showSubject(tx: TenantTx, id: string): Promise<SubjectView> {
  const erasure = await findSubjectErasure(tx, id);
  const relatedIds = erasure ? [...erasure.related] : [...(await listRelated(tx, id))];
  const subjects = [id, ...relatedIds];
  const { values, events } = await countValues(tx, subjects);
  const counts: number[] = [];
  for (const store of listSubjectStores()) counts.push(await store.countRows(tx, subjects));
  const rowCount = counts.reduce((sum, count) => sum + count, 0);
  if (!erasure && values === 0 && rowCount === 0) throw new NotFound();
  return {
    id,
    relatedIds,
    status: erasure?.status ?? 'kept',
    valueCount: values,
    eventCount: events,
    rowCount,
    requestedAt: erasure?.requested_at.toISOString() ?? null,
    requestedBy: erasure?.requested_by ?? null,
    erasedAt: erasure?.erased_at?.toISOString() ?? null,
  };
}

/** The other ids of the same person, as far as a store knows them. */
export async function listRelated(tx: TenantTx, id: string): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const store of listSubjectStores())
    for (const related of (await store.listRelated?.(tx, id)) ?? []) found.add(related);
  found.delete(id);
  return [...found].toSorted((one, other) => (one < other ? -1 : 1));
}
