import { SystemTx } from '@holdfast/database';
import { DomainError, idSchema } from '@holdfast/kernel';
import { listOperatedSagas, type Steering } from '@holdfast/sagas';
import {
  moduleOf,
  SagaById,
  type SagaDetailView,
  Sagas,
  sagasInput,
  type SagaView,
  settleInput,
  SettleSagaStep,
  showSaga as viewOf,
  SteerSaga,
} from '@holdfast/steering';
// What can still be given up, and of what kind a step is, the definitions say.
import '@holdfast/payments';
import { WrongUsage } from './failures';
import { parseInput, readAll } from './input';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  readonly json?: boolean;
}

interface ListAsked extends Asked {
  readonly tenant?: string;
  readonly state?: string;
  readonly definition?: string;
  readonly stuck?: boolean;
}

/** More open sagas than anybody reads; filters say which. */
const SAGAS_MAX = 1_000;
const ENDED = new Set(['completed', 'compensated']);

interface ListedSaga extends SagaView {
  readonly tenantId: string;
}

/** Prints the open sagas of all tenants, or all of one. */
export async function listSagas({ tenant, state, definition, stuck, json }: ListAsked): Promise<void> {
  const { shape } = sagasInput;
  const asked = {
    state: parseInput(shape.state, state, '--state'),
    definition: parseInput(shape.definition, definition, '--definition'),
    isStuck: stuck,
  };
  if (tenant === undefined && asked.state !== undefined && ENDED.has(asked.state))
    throw new WrongUsage('Sagas that have ended are listed of one tenant: --tenant is needed.');
  const listed = await asOperator((operator) =>
    tenant === undefined ? openOfAll(operator, asked) : allOf(operator, tenant, asked),
  );
  printOutcome(json, listed, text);
}

interface Filters {
  readonly state: SagaView['state'] | undefined;
  readonly definition: string | undefined;
  readonly isStuck: boolean | undefined;
}

async function openOfAll({ ops }: Operator, { definition: name, ...asked }: Filters): Promise<ListedSaga[]> {
  const rows = await ops.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => listOperatedSagas(tx, { ...asked, name }, SAGAS_MAX),
  );
  return rows.map((row) => ({ tenantId: row.tenantId, ...viewOf(row) }));
}

async function allOf(
  { queries, directory, callerFor }: Operator,
  tenant: string,
  { isStuck, ...asked }: Filters,
): Promise<ListedSaga[]> {
  const { id: tenantId } = await directory.get(tenant);
  const stuck = isStuck ? 'true' : undefined;
  const found = await readAll(async (after) =>
    queries.execute(new Sagas(await callerFor(tenantId), { ...asked, stuck, after, limit: 200 })),
  );
  return found.map((saga) => ({ tenantId, ...saga }));
}

function failuresOf({ lastError, attempts }: SagaView): string {
  return lastError === null || attempts === 0 ? (lastError ?? '-') : `${lastError}, ${attempts} times`;
}

function text(sagas: readonly ListedSaga[]): string {
  const rows = sagas.map((saga) => [
    saga.tenantId,
    saga.id,
    saga.definition,
    saga.stuck ? `${saga.state} (stuck)` : saga.state,
    saga.step ?? '-',
    saga.reason ?? '-',
    failuresOf(saga),
    saga.startedAt,
  ]);
  const heading = ['tenant', 'id', 'definition', 'state', 'step', 'reason', 'last error', 'started'];
  const more =
    sagas.length === SAGAS_MAX ? `\n\nThese are the ${SAGAS_MAX} that have been open longest.` : '';
  return `${columns(heading, rows)}${more}`;
}

/** Prints one saga with its steps and its timeline. */
export async function showSaga(tenant: string, sagaId: string, { json }: Asked): Promise<void> {
  const id = parseInput(idSchema, sagaId, 'id');
  const found = await asOperator(async ({ queries, directory, callerFor }) => {
    const { id: tenantId } = await directory.get(tenant);
    const saga = await queries.execute(new SagaById(await callerFor(tenantId), { id }));
    return { tenantId, ...saga };
  });
  printOutcome(json, found, (saga) => `${text([saga])}\n\n${stepsText(saga)}\n\n${timelineText(saga)}`);
}

const SIGNS = { completed: '✔', compensated: '↩', current: '▶', pending: '·' } as const;

function stepsText({ steps, awaits, dueAt }: SagaDetailView): string {
  const rows = steps.map(({ name, kind, state }) => {
    const waits = awaits === null ? '' : ` for ${awaits}`;
    const until = state === 'current' && dueAt !== null ? `, due ${dueAt}` : '';
    return [
      SIGNS[state],
      name,
      kind ?? 'unknown here',
      `${state}${state === 'current' ? waits : ''}${until}`,
    ];
  });
  return columns(['', 'step', 'kind', 'state'], rows);
}

function timelineText({ timeline }: SagaDetailView): string {
  let before = timeline[0]?.at;
  const rows = timeline.map(({ at, what, step, code, ticket, actor, act }) => {
    const sinceMs = before === undefined ? 0 : Date.parse(at) - Date.parse(before);
    before = at;
    const by = act === null ? actor : `${actor} (${act})`;
    return [
      at,
      `+${(sinceMs / 1_000).toFixed(3)} s`,
      what,
      [step, code, ticket].filter(Boolean).join(' '),
      by,
    ];
  });
  return columns(['at', 'after', 'what', 'step, why', 'by'], rows);
}

interface RetryAsked extends Asked {
  readonly as?: string;
  readonly ticket?: string;
  readonly definition?: string;
  readonly yes?: boolean;
}

/** Has a saga go on that waits for an operator, or all of a definition; or settles its step by hand. */
export async function retrySaga(
  tenant: string | undefined,
  id: string | undefined,
  { definition, as, ticket, ...asked }: RetryAsked,
): Promise<void> {
  if (as === undefined && ticket !== undefined)
    throw new WrongUsage('--ticket says how you know what has become of the step: --as has to say what.');
  if (definition !== undefined) {
    if (tenant !== undefined || as !== undefined)
      throw new WrongUsage('--definition has all of it go on: no tenant, no id and no --as go with it.');
    return retryAll(parseInput(sagasInput.shape.definition.unwrap(), definition, '--definition'), asked);
  }
  if (tenant === undefined || id === undefined)
    throw new WrongUsage('Which? A tenant and the id of its saga, or --definition.');
  await (as === undefined ? steer(tenant, id, 'retry', asked) : settle(tenant, id, { as, ticket }, asked));
}

async function settle(
  tenant: string,
  sagaId: string,
  outcome: { readonly as: string; readonly ticket: string | undefined },
  { json }: Asked,
): Promise<void> {
  const id = parseInput(idSchema, sagaId, 'id');
  const input = { id, ...parseInput(settleInput, outcome) };
  const settled = await asOperator(async ({ commands, queries, directory, callerFor }) => {
    const { id: tenantId } = await directory.get(tenant);
    const of = moduleOf(await queries.execute(new SagaById(await callerFor(tenantId), { id })));
    const saga = await commands.execute(new SettleSagaStep(await callerFor(tenantId, of), input));
    return { tenantId, ...saga };
  });
  printOutcome(
    json,
    settled,
    (saga) =>
      `${text([saga])}\n\nIts step is settled. ${ENDED.has(saga.state) ? 'It has ended.' : OUTCOMES.retry}`,
  );
}

/** Those of a definition that wait for an operator, oldest first; each by itself, so that one that is refused keeps no other. */
async function retryAll(definition: string, { yes, json }: RetryAsked): Promise<void> {
  const waiting = { state: 'needs_operator', definition, isStuck: undefined } as const;
  const found = await asOperator(async (operator) => {
    const sagas = await openOfAll(operator, waiting);
    return yes ? retryEach(operator, sagas) : sagas.map((saga) => ({ ...saga, retried: false, error: null }));
  });
  const retried = found.filter((saga) => saga.retried).length;
  const refused = found.filter(({ error }) => error !== null).map(({ id, error }) => `${id}: ${error}`);
  printOutcome(json, found, (sagas) =>
    [
      text(sagas),
      yes
        ? `${retried} of ${sagas.length} go on within a second.`
        : `${sagas.length} would go on. Nothing was done: that takes --yes.`,
      ...refused,
    ].join('\n\n'),
  );
}

interface RetriedSaga extends ListedSaga {
  readonly retried: boolean;
  /** The code of why it was not. */
  readonly error: string | null;
}

async function retryEach(
  { commands, callerFor }: Operator,
  sagas: readonly ListedSaga[],
): Promise<RetriedSaga[]> {
  const outcomes: RetriedSaga[] = [];
  for (const saga of sagas) {
    try {
      const caller = await callerFor(saga.tenantId);
      const steered = await commands.execute(new SteerSaga(caller, { id: saga.id, steering: 'retry' }));
      outcomes.push({ ...saga, ...steered, retried: true, error: null });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      outcomes.push({ ...saga, retried: false, error: error.code });
    }
  }
  return outcomes;
}

/** Gives up a saga that waits for an operator. */
export async function compensateSaga(tenant: string, id: string, asked: Asked): Promise<void> {
  await steer(tenant, id, 'compensate', asked);
}

/** Gives up a saga before its next step. */
export async function cancelSaga(tenant: string, id: string, asked: Asked): Promise<void> {
  await steer(tenant, id, 'cancel', asked);
}

const OUTCOMES: Readonly<Record<Steering, string>> = {
  retry: 'It goes on within a second.',
  compensate: 'It is given up: what it has done is compensated from within a second on.',
  cancel: 'It is given up before its next step.',
};

async function steer(tenant: string, sagaId: string, steering: Steering, { json }: Asked): Promise<void> {
  const id = parseInput(idSchema, sagaId, 'id');
  const steered = await asOperator(async ({ commands, directory, callerFor }) => {
    const { id: tenantId } = await directory.get(tenant);
    const saga = await commands.execute(new SteerSaga(await callerFor(tenantId), { id, steering }));
    return { tenantId, ...saga };
  });
  printOutcome(
    json,
    steered,
    (saga) =>
      `${text([saga])}\n\n${OUTCOMES[steering]} \`saga show ${saga.tenantId} ${id}\` says what comes of it.`,
  );
}
