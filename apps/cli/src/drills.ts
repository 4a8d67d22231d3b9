import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { POLICIES, readConfig } from '@holdfast/config';
import type { PolicyState } from '@holdfast/resilience';
import { readDevFile } from './dev/dev-file';
import { openDevSecrets } from './dev/dev-secrets';
import { WrongUsage } from './failures';
import { columns, printOutcome, showStep } from './output';

/** What the options of the verbs are. */
interface DrillOptions {
  readonly api?: string;
  readonly key?: string;
  readonly json?: boolean;
  readonly seconds?: string;
  readonly delay?: string;
  readonly confirm?: boolean;
}

/** What was seen of a drill. */
interface Seen {
  readonly name: string;
  readonly seconds: number;
  /** Calls that have ended meanwhile, by how. */
  readonly calls: Readonly<Record<string, number>>;
  readonly circuit: readonly { readonly atSeconds: number; readonly circuit: PolicyState['circuit'] }[];
}

const KINDS = ['open', 'fail', 'slow'] as const;
const REQUEST_TIMEOUT_MS = 10_000;
const LOOK_MS = 500;
/** Behind the end of the drill, for the breaker to try whether all is well. */
const AFTER_SECONDS = 5;

/** `holdfast drill list` */
export async function listDrills(options: DrillOptions): Promise<void> {
  const states = await ask(options, 'GET');
  printOutcome(options.json, states, () =>
    columns(
      ['policy', 'circuit', 'at work', 'calls', 'drills'],
      states.map(({ name, part, circuit, atWork, calls }) => [
        ...[part === undefined ? name : `${name} (${part})`, circuit, String(atWork), callsText(calls)],
        KINDS.map((does) => nameOf(name, does)).join(' '),
      ]),
    ),
  );
}

/** `holdfast drill run NAME` */
export async function runDrill(name: string, options: DrillOptions): Promise<void> {
  const does = KINDS.find((kind) => name.endsWith(`-${kind}`));
  const policy = name.slice(0, -(does?.length ?? 0) - 1).replaceAll('-', '_');
  const [seconds, delayMs] = [Number(options.seconds), Number(options.delay)];
  if (!does || !(policy in POLICIES))
    throw new WrongUsage(
      `There is no drill ${name}. The policies are ${Object.keys(POLICIES).join(', ')}; each has the drills ${KINDS.join(', ')}.`,
    );
  const states = await ask(options, 'GET');
  const body = { policy, does, seconds, delayMs, ...(options.confirm && { confirm: policy }) };
  let seen: Seen | undefined;
  await showStep(`drill ${name}`, async (step) => {
    const before = statesOf(states, policy);
    await ask(options, 'POST', body);
    seen = await watch(options, { name, policy, seconds, before }, (done) =>
      step.progress(Math.round(done), seconds + AFTER_SECONDS),
    );
    return 'over';
  });
  if (seen) printOutcome(options.json, seen, seenText);
}

interface Watched {
  readonly name: string;
  readonly policy: string;
  readonly seconds: number;
  readonly before: Summed;
}

async function watch(
  options: DrillOptions,
  { name, policy, seconds, before }: Watched,
  progress: (seconds: number) => void,
): Promise<Seen> {
  const beganAtMs = performance.now();
  const circuit: { atSeconds: number; circuit: PolicyState['circuit'] }[] = [];
  let now = before;
  for (let atSeconds = 0; atSeconds < seconds + AFTER_SECONDS;) {
    now = statesOf(await ask(options, 'GET'), policy);
    atSeconds = Math.round(performance.now() - beganAtMs) / 1_000;
    if (circuit.at(-1)?.circuit !== now.circuit) circuit.push({ atSeconds, circuit: now.circuit });
    progress(atSeconds);
    await sleep(LOOK_MS);
  }
  const calls = Object.entries(now.calls)
    .map(([outcome, count]) => [outcome, count - (before.calls[outcome] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return { name, seconds, calls: Object.fromEntries(calls), circuit };
}

interface Summed {
  readonly circuit: PolicyState['circuit'];
  readonly calls: Readonly<Record<string, number>>;
}

/** A process may have several policies of a name: one for each issuer, say. */
function statesOf(states: readonly PolicyState[], policy: string): Summed {
  const own = states.filter(({ name }) => name === policy);
  const calls: Record<string, number> = {};
  for (const [outcome, count] of own.flatMap((state) => Object.entries(state.calls)))
    calls[outcome] = (calls[outcome] ?? 0) + count;
  const circuits = new Set(own.map(({ circuit }) => circuit));
  const circuit = (['open', 'half_open'] as const).find((each) => circuits.has(each)) ?? 'closed';
  return { circuit, calls };
}

function seenText({ calls, circuit, seconds }: Seen): string {
  const turns = circuit.map(
    ({ atSeconds, circuit: state }) => `  ${atSeconds.toFixed(1)} s  circuit ${state}`,
  );
  const called = Object.keys(calls).length === 0 ? 'no call was made' : callsText(calls);
  return `Drilled for ${seconds} s. In the process that was asked: ${called}. Of the others see holdfast_resilience_*.\n${turns.join('\n')}`;
}

function callsText(calls: Readonly<Record<string, number>>): string {
  return Object.entries(calls)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ');
}

function nameOf(policy: string, does: string): string {
  return `${policy.replaceAll('_', '-')}-${does}`;
}

/** The API cannot do it at the moment. */
class ApiFailed extends Error {
  override readonly name = 'ApiFailed';
}

/** The drills, or a problem. */
interface Told {
  readonly data?: readonly PolicyState[];
  readonly detail?: string;
  readonly errors?: readonly { readonly pointer: string; readonly message: string }[];
}

async function ask(
  options: DrillOptions,
  method: 'GET' | 'POST',
  body?: object,
): Promise<readonly PolicyState[]> {
  const { api, key } = processOf(options);
  const answer = await fetch(new URL('/v1/operator/drills', api), {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  // What stands in front of an API that is away answers otherwise.
  const { data, detail, errors = [] } = (await answer.json().catch(() => ({}))) as Told;
  if (data) return data;
  const faults = errors.map(({ pointer, message }) => `${pointer.slice(1)}: ${message}`);
  const text = [detail ?? `The API answers ${answer.status}.`, ...faults].join('\n');
  throw answer.status < 500 ? new WrongUsage(text) : new ApiFailed(text);
}

function processOf({ api, key }: DrillOptions): { readonly api: string; readonly key: string } {
  if (api !== undefined && !URL.canParse(api)) throw new WrongUsage('--api: It is no URL.');
  if (api !== undefined && key !== undefined) return { api, key };
  if (api !== undefined || key !== undefined) throw new WrongUsage('--api and --key belong together.');
  const { directory } = readConfig('cli');
  const running = readDevFile(directory);
  if (!running)
    throw new WrongUsage('Which process? No `holdfast dev` runs in this directory: give --api and --key.');
  return { api: running.api, key: openDevSecrets(directory).operatorKey };
}
