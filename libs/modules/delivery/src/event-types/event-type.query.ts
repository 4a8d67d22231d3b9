import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { findEventType } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type EventTypeView, showEventType } from './event-type-view';

/** One type of event. Throws NotFound. */
export class EventTypeByName extends TenantQuery<{ readonly type: string }, EventTypeView> {
  readonly scope = 'events:read';
}

@QueryHandler(EventTypeByName)
export class EventTypeByNameHandler implements IQueryHandler<EventTypeByName> {
  execute({ input }: EventTypeByName): Promise<EventTypeView> {
    const found = findEventType(input.type);
    return found ? Promise.resolve(showEventType(found)) : Promise.reject(new NotFound());
  }
}
