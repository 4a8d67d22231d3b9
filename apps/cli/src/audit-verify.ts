import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  EarlierBundle,
  partsOfOrigin,
  readCheckpoint,
  readSignerMemory,
  type RootClaim,
  type VerifiedLog,
  VERIFIER_PATH,
  verifyLog,
} from '@holdfast/audit';
import { TenantDatabase } from '@holdfast/tenancy';
import { parseVerifierKey } from '@holdfast/tlog';
import type { ListedTenantView } from '@holdfast/tenants';
import { findingCells } from './audit-findings';
import { verifyAuditOverHttp } from './audit-verify-http';
import { verifyReceipts } from './audit-receipts';
import { VerbFailed, WrongUsage } from './failures';
import { operatedTenants } from './operated-tenants';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome, showStep } from './output';

/** What `holdfast audit verify` is asked. */
export interface AskedToVerify {
  readonly tenant?: string;
  readonly key?: readonly string[];
  readonly checkpoint?: readonly string[];
  readonly against?: string;
  readonly memory?: string;
  readonly rate?: string;
  readonly export?: string;
  readonly url?: string;
  readonly apiKeyFile?: string;
  readonly receipt?: readonly string[];
  readonly receiptEvents?: string;
  readonly json?: boolean;
}

type Claim = RootClaim & { readonly tenantId: string };

/** Whom to believe besides the database. */
interface Evidence {
  readonly claims: readonly Claim[];
  readonly publicKeys: readonly Buffer[];
  readonly against: string | undefined;
}

interface Verified extends VerifiedLog {
  readonly tenantId: string;
  readonly slug: string | null;
}

/** Of erased tenants as well, so that it says nothing of a tenant that is not there. */
const REMEMBERED = 'what the signer remembers';

/** Verifies logs where they are said to be, prints what does not hold, and fails when something does not. */
export async function verifyAudit(asked: AskedToVerify): Promise<void> {
  if (asked.export !== undefined) return verifyExport(asked, asked.export);
  if (asked.receipt !== undefined) {
    const publicKeys = (asked.key ?? []).map(publicKeyOf);
    return verifyReceipts({ ...asked, receipts: asked.receipt, publicKeys });
  }
  if (asked.url !== undefined) return verifyAuditOverHttp({ ...asked, url: asked.url });
  const evidence = await readEvidence(asked);
  const verified = await asOperator(async (operator) => {
    const outcomes: Verified[] = [];
    const listed = await operatedTenants(operator, asked.tenant);
    for (const each of listed) outcomes.push(await verifyOne(operator, each, evidence, rateOf(asked)));
    return [...outcomes, ...unlisted(evidence, listed)];
  });
  printOutcome(asked.json, verified, textOf);
  const broken = verified.reduce((sum, { findingCount }) => sum + findingCount, 0);
  if (broken > 0) throw new VerbFailed(`${broken} findings`);
}

function rateOf({ rate }: AskedToVerify): number {
  const ratePerSecond = rate === undefined ? Number.POSITIVE_INFINITY : Number(rate);
  if (!(ratePerSecond >= 1)) throw new WrongUsage('--rate is a number of events.');
  return ratePerSecond;
}

/** Runs the program that outsiders get, so that what it says here is what it says to them. */
function verifyExport({ key = [], against, checkpoint = [], json }: AskedToVerify, file: string): void {
  const kept = [...checkpoint, ...(against === undefined ? [] : [against])];
  const args = [
    ...key.flatMap((each) => ['--key', each]),
    ...kept.flatMap((each) => ['--against', each]),
    ...(json ? ['--json'] : []),
  ];
  const { status } = spawnSync(process.execPath, [VERIFIER_PATH, file, ...args], { stdio: 'inherit' });
  if (status === 2) throw new WrongUsage('Name the key of the log with --key.');
  if (status !== 0) throw new VerbFailed('the export does not hold');
}

async function readEvidence({
  key = [],
  checkpoint = [],
  against,
  memory,
}: AskedToVerify): Promise<Evidence> {
  const publicKeys = key.map(publicKeyOf);
  const kept = checkpoint.map((file) => claimOf(readFileSync(file, 'utf8'), publicKeys, file));
  const remembered = memory === undefined ? [] : await readSignerMemory(memory);
  const claims = remembered.map(({ tenantId, epoch, size, root }) => ({
    ...{ tenantId, epoch, size, root: Buffer.from(root, 'base64') },
    by: REMEMBERED,
  }));
  if (against === undefined) return { publicKeys, against, claims: [...kept, ...claims] };
  const bundle = await EarlierBundle.open(against);
  await bundle.close();
  const ofBundle = bundle.checkpoints.map(({ note }) =>
    claimOf(note, publicKeys, `a checkpoint in ${against}`),
  );
  return { publicKeys, against, claims: [...kept, ...claims, ...ofBundle] };
}

function publicKeyOf(text: string): Buffer {
  try {
    return parseVerifierKey(text).publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  } catch {
    throw new WrongUsage(`This is no verifier key: ${text}`); // Whatever is wrong with it.
  }
}

/** What a checkpoint says that was kept. Who keeps one trusts it; if he names a key as well, that has to have signed it. */
function claimOf(note: string, publicKeys: readonly Buffer[], by: string): Claim {
  const checkpoint = readCheckpoint(note, publicKeys);
  if (!checkpoint) throw new WrongUsage(`${by} is no checkpoint.`);
  if (publicKeys.length > 0 && checkpoint.isSigned !== true)
    throw new WrongUsage(`${by} is not signed by a key that was given.`);
  const { tenantId, epoch } = partsOfOrigin(checkpoint.origin);
  return { tenantId, epoch, size: checkpoint.size, root: checkpoint.root, by };
}

/** In the role holdfast_ops, which reads and cannot write what it verifies. */
async function verifyOne(
  { ops, callerFor }: Operator,
  { id, slug }: ListedTenantView,
  { claims, publicKeys, against }: Evidence,
  ratePerSecond: number,
): Promise<Verified> {
  let outcome: VerifiedLog = { checked: 0, findings: [], findingCount: 0, epochs: [], notes: [] };
  await showStep(slug ?? id, async (step) => {
    const earlier = against === undefined ? undefined : await EarlierBundle.open(against);
    const isOfTenant = claims.some(({ tenantId, by }) => tenantId === id && by.endsWith(` in ${against}`));
    const verified = verifyLog(new TenantDatabase(ops), await callerFor(id), {
      ...{ ratePerSecond, claims: claims.filter(({ tenantId }) => tenantId === id) },
      ...(publicKeys.length > 0 ? { publicKeys } : {}),
      ...(earlier && isOfTenant ? { earlier } : {}),
      onPage: (checked, total) => step.progress(Math.min(checked, total), Math.max(total, 1)),
      renew: () => callerFor(id),
    });
    // One log that cannot be read must not keep the others from being verified.
    outcome = await verified.catch((error: unknown) => failed(error));
    await earlier?.close();
    const { checked, findingCount } = outcome;
    return `${findingCount === 0 ? 'intact' : `${findingCount} findings`}, ${checked} events`;
  });
  return { tenantId: id, slug, ...outcome };
}

function failed(error: unknown): VerifiedLog {
  const message = `it cannot be verified: ${error instanceof Error ? error.message : String(error)}`;
  return {
    ...{ checked: 0, epochs: [], notes: [], findingCount: 1 },
    findings: [{ kind: 'unreadable', epoch: 1, message }],
  };
}

function textOf(verified: readonly Verified[]): string {
  const rows = verified.flatMap(({ tenantId, slug, findings }) =>
    findings.map((finding) => [slug ?? tenantId, ...findingCells(finding)]),
  );
  const checked = verified.reduce((sum, each) => sum + each.checked, 0);
  const count = verified.reduce((sum, each) => sum + each.findingCount, 0);
  const summary = `${verified.length} logs, ${checked} events, ${count} findings`;
  const notes = verified
    .flatMap((each) => each.notes.map((note) => `\nNote: ${each.slug ?? each.tenantId}: ${note}.`))
    .join('');
  if (count === 0) return `${summary}: intact.${notes}`;
  const table = columns(['tenant', 'epoch', 'leaf', 'event', 'kind', 'what'], rows);
  return `${table}\n\n${summary}.${movedText(verified)}${notes}`;
}

/** What was kept of logs that were not verified: of a tenant that is not there any more, or not the one that was named. */
function unlisted({ claims }: Evidence, listed: readonly ListedTenantView[]): Verified[] {
  const kept = claims.filter(({ by }) => by !== REMEMBERED);
  const others = kept.filter(({ tenantId }) => !listed.some(({ id }) => id === tenantId));
  return others.map(({ tenantId, epoch, by }) => ({
    ...{ tenantId, slug: null, checked: 0, epochs: [], notes: [], findingCount: 1 },
    findings: [{ kind: 'cut', epoch, index: 0, message: `${by} is of a tenant that is not among these` }],
  }));
}

/** An event that is missing from one log and without a leaf in another has been moved. */
function movedText(verified: readonly Verified[]): string {
  const found = verified.flatMap(({ tenantId, slug, findings }) =>
    findings.map((finding) => ({ ...finding, tenant: slug ?? tenantId })),
  );
  const inserted = new Map(
    found.filter(({ kind }) => kind === 'inserted').map(({ eventId, tenant }) => [eventId, tenant]),
  );
  const moved = found.filter(({ kind, eventId }) => kind === 'missing' && inserted.has(eventId));
  return moved
    .map(
      ({ eventId, tenant }) => `\nEvent ${eventId} of ${tenant} is among those of ${inserted.get(eventId)}.`,
    )
    .join('');
}
