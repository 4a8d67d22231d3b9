import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { TenantQuery, wholeNumber } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventTypeSchema } from './telemetry-event-view';
import { rangeInput, rowsRange } from './telemetry-range';

const STEPS_MAX = 10;

/** The steps as a list: what the query takes, and GraphQL. */
export const funnelSteps = z
  .array(eventTypeSchema)
  .min(1)
  .max(STEPS_MAX)
  .refine((steps) => new Set(steps).size === steps.length, 'A step is there once.');

/** Names parted by commas, since a query string has no lists; a comma or a backslash of a name stands behind a backslash. */
function stepsOf(given: unknown): unknown {
  if (typeof given !== 'string') return given;
  return [...given.matchAll(/(?:^|,)((?:[^,\\]|\\.)*)/gsu)].map(([, step = '']) =>
    step.replace(/\\(.)/gsu, '$1'),
  );
}

/** Which steps, within which time, over which range. */
export const telemetryFunnelInput = z.strictObject({
  steps: z.preprocess(stepsOf, funnelSteps).meta({
    description: '1 to 10 types or names in their order, parted by commas; `\\,` is a comma of a name.',
    type: 'string',
    example: 'Signed up,Ordered',
  }),
  windowSeconds: wholeNumber('Within how many seconds of the first step the others are counted.', {
    minimum: 1,
    maximum: 30 * 86_400,
    standard: 86_400,
  }),
  ...rangeInput,
});

/** How many users have come to a step, by way of all before it. */
export const telemetryFunnelStepView = z.object({
  step: z.int().meta({ description: 'Its place among those that were asked for, from 1.' }),
  users: z.int(),
});

/** A step of a funnel. */
export type TelemetryFunnelStep = z.output<typeof telemetryFunnelStepView>;

/** The steps in their order. */
export const telemetryFunnelAnswer = z.object({ data: z.array(telemetryFunnelStepView) });

/**
 * How many users have done the first step, how many of them then the second, and so on, each within the window from the first. Domain
 * events count as steps of the member who acted, under the member's id.
 */
export class TelemetryFunnel extends TenantQuery<
  z.output<typeof telemetryFunnelInput>,
  { data: TelemetryFunnelStep[] }
> {
  readonly scope = 'telemetry:read';
}

type LevelRow = { readonly level: number; readonly users: string };

// `windowFunnel` takes its conditions one by one; a place beyond the list is none that a row has. Of several chains of a user the
// longest counts. Each condition is tried on each row, so the few steps that most funnels have are a third cheaper by themselves.
const FUNNEL: TelemetryStatement<LevelRow> = {
  text: `select level, count() as users
    from (
      select user_hash, windowFunnel({window:UInt64})(milliseconds,
        step = 1, step = 2, step = 3, step = 4, step = 5, step = 6, step = 7, step = 8, step = 9, step = 10) as level
      from telemetry.tenant_steps(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, steps = {steps:Array(String)})
      group by user_hash
    )
    where level > 0
    group by level
    order by level
    limit 10`,
};

const SHORT_FUNNEL: TelemetryStatement<LevelRow> = {
  text: `select level, count() as users
    from (
      select user_hash, windowFunnel({window:UInt64})(milliseconds,
        step = 1, step = 2, step = 3) as level
      from telemetry.tenant_steps(tenant_id = {tenant_id:UUID}, from = {from:String}, to = {to:String}, steps = {steps:Array(String)})
      group by user_hash
    )
    where level > 0
    group by level
    order by level
    limit 10`,
};

/** Steps that the short one has conditions for. */
const SHORT_STEPS = 3;

@QueryHandler(TelemetryFunnel)
export class TelemetryFunnelHandler implements IQueryHandler<TelemetryFunnel> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetryFunnel): Promise<{ data: TelemetryFunnelStep[] }> {
    const { steps, windowSeconds } = input;
    const range = rowsRange(input, Date.now());
    const parameters = { ...range, steps, window: windowSeconds * 1_000 };
    const statement = steps.length <= SHORT_STEPS ? SHORT_FUNNEL : FUNNEL;
    const rows = await this.store.read(caller, statement, parameters);
    // Whoever came to a step has passed those before it.
    const reached = (step: number): number =>
      rows.filter(({ level }) => level > step).reduce((sum, { users }) => sum + Number(users), 0);
    return { data: steps.map((_, step) => ({ step: step + 1, users: reached(step) })) };
  }
}
