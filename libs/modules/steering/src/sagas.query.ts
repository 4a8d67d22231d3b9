import { NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { findSeenSaga, listSagaEvents, listSeenSagas } from '@holdfast/sagas';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type SagaDetailView, sagaState, type SagaView, showSaga, showSagaDetail } from './saga-view';

/** What the list takes. */
export const sagasInput = z.strictObject({
  ...pageInput,
  state: sagaState.optional().meta({ description: 'Only those in this state.' }),
  definition: z
    .string()
    .max(100)
    .regex(/^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*$/)
    .optional()
    .meta({ description: 'Only those of this definition.', example: 'payments.payment' }),
  stuck: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'Only those open ones that somebody has to look at, or only the others.' }),
});

/** The tenant's sagas, newest first. */
export class Sagas extends TenantQuery<z.output<typeof sagasInput>, Page<SagaView>> {
  readonly scope = 'sagas:read';
}

/** One saga, with its steps and what has happened to it. */
export class SagaById extends TenantQuery<{ readonly id: string }, SagaDetailView> {
  readonly scope = 'sagas:read';
}

const cursors = new Cursors('sagas', z.tuple([z.guid()]));

@QueryHandler(Sagas)
export class SagasHandler implements IQueryHandler<Sagas> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Sagas): Promise<Page<SagaView>> {
    const { limit, after, state, definition: name, stuck } = input;
    const [before] = cursors.decode(caller, after) ?? [];
    const asked = { state, name, ...(stuck !== undefined && { isStuck: stuck === 'true' }) };
    const rows = await this.tenants.inOneSnapshot(caller, (tx) =>
      listSeenSagas(tx, asked, before, limit + 1),
    );
    return page(rows, limit, showSaga, ({ id }) => cursors.encode(caller, [id]));
  }
}

@QueryHandler(SagaById)
export class SagaByIdHandler implements IQueryHandler<SagaById> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input: { id } }: SagaById): Promise<SagaDetailView> {
    return this.tenants.inOneSnapshot(caller, async (tx) => {
      const saga = await findSeenSaga(tx, id);
      if (!saga) throw new NotFound();
      return showSagaDetail(saga, await listSagaEvents(tx, id));
    });
  }
}
