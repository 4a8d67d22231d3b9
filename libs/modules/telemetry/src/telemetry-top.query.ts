import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { TenantQuery, wholeNumber } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventKindSchema, eventTypeSchema } from './telemetry-event-view';
import {
  daysWithin,
  nothingRolledUp,
  type Range,
  rangeInput,
  type RolledUp,
  rolledUpWithin,
  rowsRange,
} from './telemetry-range';

/** A column, or a property of the first or second level. */
const BY = /^(?:name|kind|user|group|(?:properties|context)\.[^.\p{Cc}]{1,100}(?:\.[^.\p{Cc}]{1,100})?)$/u;

/** Which values to count, of which events. */
export const telemetryTopInput = z.strictObject({
  by: z.string().max(220).regex(BY).default('name').meta({
    description:
      '`name`, `kind`, `user`, `group`, `properties.<name>` or `context.<name>`, also `context.<name>.<name>`.',
    example: 'properties.plan',
  }),
  event: eventTypeSchema.optional().meta({ description: 'Only events of this type or name.' }),
  kind: eventKindSchema.optional().meta({ description: 'Only domain events, or those of one call.' }),
  ...rangeInput,
  limit: wholeNumber('How many values.', { minimum: 1, maximum: 100, standard: 10 }),
});

/** A value and how many events have it. */
export const telemetryTopView = z.object({ value: z.string(), count: z.int() });

/** A value and how many events have it. */
export type TelemetryTopValue = z.output<typeof telemetryTopView>;

/** The values that most events have, first the most frequent. */
export const telemetryTopAnswer = z.object({ data: z.array(telemetryTopView) });

/** The most frequent values of a column or property. Events without it are not counted. */
export class TelemetryTop extends TenantQuery<
  z.output<typeof telemetryTopInput>,
  { data: TelemetryTopValue[] }
> {
  readonly scope = 'telemetry:read';
}

type ValueParameters = Range &
  RolledUp & {
    readonly path: string;
    readonly event: string;
    readonly kind: string;
    readonly [parameter: string]: unknown;
  };

type TopRow = { readonly value: string; readonly events: string };

const TOP_COLUMN: TelemetryStatement<TopRow> = {
  text: `select value, sum(counted) as events
    from (
      select toString(if({by:String} = 'kind', kind, name)) as value, sum(events) as counted
      from telemetry.tenant_hours(tenant_id = {tenant_id:UUID})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
        and hour >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and hour < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
      group by value
      union all
      select toString(if({by:String} = 'kind', kind, name)) as value, count() as counted
      from telemetry.tenant_rest(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, rolled_from = {rolled_from:String}, rolled_to = {rolled_to:String}, is_long = {is_long:UInt8})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
      group by value
      union all
      select if({by:String} = 'kind', 'domain', toString(type)) as value, count() as counted
      from telemetry.tenant_events(tenant_id = {tenant_id:UUID})
      where ({event:String} = '' or type = {event:String})
        and ({kind:String} = '' or {kind:String} = 'domain')
        and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
      group by value
    )
    where value != ''
    group by value
    order by events desc, value
    limit {limit:UInt8}`,
};

// What the parameters say is the same for all rows, so ClickHouse evaluates one of the branches alone.
// Values are counted of all events (1), and but for users by name and kind (0).
const TOP_VALUES: TelemetryStatement<TopRow> = {
  text: `select value, sum(counted) as events
    from (
      select value, sum(count) as counted
      from telemetry.tenant_value_counts(tenant_id = {tenant_id:UUID})
      array join members as value, counts as count
      where path = {path:String}
        and is_total = ({event:String} = '' and {kind:String} = '')
        and ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
        and (span = 'day' and begins >= parseDateTimeBestEffort({days_from:String}, 'UTC')
          and begins < parseDateTimeBestEffort({days_to:String}, 'UTC')
        or span = 'hour' and begins >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and begins < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
          and (begins < parseDateTimeBestEffort({days_from:String}, 'UTC') or begins >= parseDateTimeBestEffort({days_to:String}, 'UTC')))
      group by value
      union all
      select multiIf(
          {by:String} = 'user', user_id,
          {by:String} = 'group', group_id,
          {inner:String} = '', JSONExtract(if({by:String} = 'context', context, properties), {outer:String}, 'String'),
          JSONExtract(if({by:String} = 'context', context, properties), {outer:String}, {inner:String}, 'String')
        ) as value, count() as counted
      from telemetry.tenant_rest(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, rolled_from = {rolled_from:String}, rolled_to = {rolled_to:String}, is_long = {is_long:UInt8})
      where ({event:String} = '' or name = {event:String})
        and ({kind:String} = '' or kind = {kind:String})
      group by value
      union all
      select multiIf(
          {by:String} = 'user', if(startsWith(actor, 'member:'), substring(actor, 8), ''),
          {by:String} != 'properties', '',
          {inner:String} = '', JSONExtract(data, {outer:String}, 'String'),
          JSONExtract(data, {outer:String}, {inner:String}, 'String')
        ) as value, count() as counted
      from telemetry.tenant_events(tenant_id = {tenant_id:UUID})
      where ({event:String} = '' or type = {event:String})
        and ({kind:String} = '' or {kind:String} = 'domain')
        and at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
        and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
      group by value
    )
    where value != ''
    group by value
    order by events desc, value
    limit {limit:UInt8}`,
};

/** Hours whose events may have values at the path that are not counted: there were too many. */
const UNCOUNTED_HOURS: TelemetryStatement<{ readonly hours: string }> = {
  text: `select count() as hours
    from (
      select countIf(path != '') as known, maxIf(is_partial, path != '') as partial, countIf(path = '') as beyond
      from telemetry.tenant_value_counts(tenant_id = {tenant_id:UUID})
      where path in ({path:String}, '')
        and is_total = 1
        and span = 'hour'
        and begins >= parseDateTimeBestEffort({rolled_from:String}, 'UTC')
        and begins < parseDateTimeBestEffort({rolled_to:String}, 'UTC')
      group by begins
    )
    where partial = 1 or (known = 0 and beyond > 0)`,
};

/** The same of rows alone. */
const TOP_ROWS: TelemetryStatement<TopRow> = { ...TOP_VALUES, isLoose: true };

@QueryHandler(TelemetryTop)
export class TelemetryTopHandler implements IQueryHandler<TelemetryTop> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetryTop): Promise<{ data: TelemetryTopValue[] }> {
    const { event = '', kind = '', limit } = input;
    const [by = '', outer = '', inner = ''] = input.by.split('.');
    const range = rowsRange(input, Date.now());
    const rolledUp = await rolledUpWithin(this.store, caller.tenantId, range);
    const parameters = { ...range, ...rolledUp, event, kind, limit, by };
    const rows =
      by === 'name' || by === 'kind'
        ? await this.store.read(caller, TOP_COLUMN, parameters)
        : await this.valuesOf(caller.tenantId, { ...parameters, path: input.by, outer, inner });
    return { data: rows.map(({ value, events }) => ({ value, count: Number(events) })) };
  }
  private async valuesOf(tenantId: string, parameters: ValueParameters): Promise<TopRow[]> {
    if (!(await this.isCounted(tenantId, parameters))) {
      const { from } = parameters;
      const rows = { ...nothingRolledUp(parameters), days_from: from, days_to: from };
      return this.store.read(tenantId, TOP_ROWS, { ...parameters, ...rows });
    }
    // Whole days are counted of all events alone.
    const { rolled_to: end, event, kind } = parameters;
    const days = event === '' && kind === '' ? daysWithin(parameters) : { days_from: end, days_to: end };
    return this.store.read(tenantId, TOP_VALUES, { ...parameters, ...days });
  }

  /** Whether the roll-ups have all values: of users those of all events, of other paths unless an hour has too many. */
  private async isCounted(tenantId: string, parameters: ValueParameters): Promise<boolean> {
    const isFiltered = parameters.event !== '' || parameters.kind !== '';
    if (parameters.path === 'user' && isFiltered) return false;
    const [row] = await this.store.read(tenantId, UNCOUNTED_HOURS, parameters);
    return row?.hours === '0';
  }
}
