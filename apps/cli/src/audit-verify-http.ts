import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServedLog, verifyServedLog } from '@holdfast/audit';
import { findingCells } from './audit-findings';
import { VerbFailed, WrongUsage } from './failures';
import { columns, printOutcome, showStep } from './output';

interface Asked {
  readonly url: string;
  readonly apiKeyFile?: string;
  readonly key?: readonly string[];
  readonly json?: boolean;
}

/** Requests that are refused for their rate are repeated so often. */
const ATTEMPTS_MAX = 20;
const REQUEST_TIMEOUT_MS = 30_000;
/** Answers are tiles and bundles: at most 256 entries of 64 KiB. */
const TOO_MANY = 429;
const GONE = 410;

/** Verifies the current tree of a log as an API serves it to its tenant. */
export async function verifyAuditOverHttp({ url, apiKeyFile, key, json }: Asked): Promise<void> {
  if (apiKeyFile === undefined) throw new WrongUsage('Name the file with the API key: --api-key-file.');
  const apiKey = readFileSync(apiKeyFile, 'utf8').trim();
  let outcome: ServedLog | undefined;
  await showStep(url, async (step) => {
    outcome = await verifyServedLog((path) => get(url, path, apiKey), {
      ...(key ? { keys: key } : {}),
      onTile: (checked, total) => step.progress(checked, Math.max(total, 1)),
    });
    return `${outcome.findings.length === 0 ? 'intact' : `${outcome.findings.length} findings`}, ${outcome.size} leaves`;
  });
  if (!outcome) return;
  printOutcome(json, outcome, table);
  if (outcome.findings.length > 0) throw new VerbFailed(`${outcome.findings.length} findings`);
}

function table({ origin, size, findings, pruned }: ServedLog): string {
  const unserved = pruned.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const hashed =
    unserved > 0 ? ` Of ${unserved}, in tiles with pruned rows, only the hashes are served.` : '';
  if (findings.length === 0) return `${origin}, ${size} leaves: intact.${hashed}`;
  return `${columns(['epoch', 'leaf', 'event', 'kind', 'what'], findings.map(findingCells))}\n\n${origin}, ${size} leaves.`;
}

/** What stands there; undefined where the retention has removed it. */
async function get(url: string, path: string, apiKey: string): Promise<Buffer | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(new URL(path, url), {
      headers: { authorization: `Bearer ${apiKey}`, accept: 'text/plain, application/octet-stream' },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (answer.ok) return Buffer.from(await answer.arrayBuffer());
    if (answer.status === GONE) return undefined;
    if (answer.status !== TOO_MANY || attempt === ATTEMPTS_MAX)
      throw new WrongUsage(`${path} answers ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
    await sleep(1_000 * Number(answer.headers.get('retry-after') ?? 1));
  }
}
