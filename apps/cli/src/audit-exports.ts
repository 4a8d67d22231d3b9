import {
  createWriteStream,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuditExportById,
  AuditExportFile,
  auditExportInput,
  type AuditExportView,
  RequestAuditExport,
} from '@holdfast/audit';
import type { Caller } from '@holdfast/kernel';
import { VerbFailed, WrongUsage } from './failures';
import { parseInput } from './input';
import { asOperator, type Operator } from './operator';
import { printOutcome, showStep, type Step } from './output';

interface Asked {
  readonly tenant: string;
  readonly out: string;
  readonly json?: boolean;
  readonly format?: string;
  readonly from?: string;
  readonly to?: string;
  readonly type?: string;
  readonly actor?: string;
  readonly stream?: string;
}

const LOOK_INTERVAL_MS = 300;

/**
 * Exports a tenant's trail into a file. Until it is whole it is called `<file>.part`, and `<file>.part.json` says which export it
 * is of: called again with the same file, the verb goes on where it was cut.
 */
export async function exportAudit({ tenant, out, json, ...input }: Asked): Promise<void> {
  if (existsSync(out)) throw new WrongUsage(`${out} is there already. Name a file that is to be made.`);
  const order = parseInput(auditExportInput, input);
  const done = await asOperator(async (operator) => {
    const { id: tenantId } = await operator.directory.get(tenant);
    const caller = await operator.callerFor(tenantId);
    const begun = begunExport(out, tenantId);
    const id = begun ?? (await operator.commands.execute(new RequestAuditExport(caller, order))).id;
    writeFileSync(`${out}.part.json`, JSON.stringify({ tenantId, id }));
    await showStep('Export', (step) => untilCompleted(operator, caller, id, step));
    await showStep('Download', (step) => download(operator, caller, { id, out }, step));
    return operator.queries.execute(new AuditExportById(caller, { id }));
  });
  printOutcome(
    json,
    done,
    ({ rowsDone, bytes, sha256 }) => `${rowsDone} events, ${bytes} bytes in ${out}; SHA-256 ${sha256}.`,
  );
}

/** The export that was begun for this file. */
function begunExport(out: string, tenantId: string): string | undefined {
  if (!existsSync(`${out}.part.json`)) return undefined;
  const begun = JSON.parse(readFileSync(`${out}.part.json`, 'utf8')) as { tenantId: string; id: string };
  if (begun.tenantId !== tenantId)
    throw new WrongUsage(`${out}.part is of another tenant. Remove it, or name another file.`);
  return begun.id;
}

async function untilCompleted(
  { queries }: Operator,
  caller: Caller,
  id: string,
  step: Step,
): Promise<string> {
  for (;;) {
    const { status, rowsDone, rowsTotal }: AuditExportView = await queries.execute(
      new AuditExportById(caller, { id }),
    );
    if (status === 'completed') return `${rowsDone} events`;
    if (status === 'failed') throw new VerbFailed('the export was given up: see the worker’s log');
    if (rowsTotal === null) step.note(`${rowsDone} events`);
    else step.progress(Math.min(Number(rowsDone), Number(rowsTotal)), Math.max(1, Number(rowsTotal)));
    await sleep(LOOK_INTERVAL_MS);
  }
}

async function download(
  { queries, callerFor }: Operator,
  caller: Caller,
  { id, out }: { readonly id: string; readonly out: string },
  step: Step,
): Promise<string> {
  const part = `${out}.part`;
  const content = await queries.execute(
    new AuditExportFile(caller, { id }, () => callerFor(caller.tenantId)),
  );
  const from = existsSync(part) ? statSync(part).size : 0;
  const pieces = counted(content.plain(from, content.bytes), (bytes) =>
    step.progress(from + bytes, content.bytes),
  );
  if (from < content.bytes)
    await pipeline(Readable.from(pieces, { objectMode: false }), createWriteStream(part, { flags: 'a' }));
  else if (content.bytes === 0) writeFileSync(part, '');
  renameSync(part, out);
  rmSync(`${part}.json`);
  return from > 0 ? `${content.bytes} bytes, from ${from} on` : `${content.bytes} bytes`;
}

async function* counted(pieces: AsyncIterable<Buffer>, tell: (bytes: number) => void): AsyncIterable<Buffer> {
  let bytes = 0;
  for await (const piece of pieces) {
    yield piece;
    bytes += piece.length;
    tell(bytes);
  }
}
