import { TenantQuery } from '@holdfast/cqrs';
import { listEventTypes } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type EventTypeView, showEventType } from './event-type-view';

/** Which types to list. */
export const eventTypesInput = z.strictObject({
  prefix: z
    .string()
    .max(200)
    .optional()
    .meta({ description: 'Only types whose names begin so.', examples: ['ledger.'] }),
});

/** Every type of event that the tenant's log may hold, by name. As many as the code declares, so there are no pages. */
export class EventTypes extends TenantQuery<z.output<typeof eventTypesInput>, readonly EventTypeView[]> {
  readonly scope = 'events:read';
}

@QueryHandler(EventTypes)
export class EventTypesHandler implements IQueryHandler<EventTypes> {
  execute({ input: { prefix = '' } }: EventTypes): Promise<readonly EventTypeView[]> {
    const wanted = listEventTypes().filter(({ type }) => type.startsWith(prefix));
    return Promise.resolve(wanted.map(showEventType));
  }
}
