import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import {
  ExportById,
  ExportContents,
  ExportFile,
  type ExportManifest,
  RequestExport,
} from '@holdfast/tenants';
import type { Caller } from '@holdfast/kernel';
import { VerbFailed, WrongUsage } from './failures';
import { asOperator, type Operator } from './operator';
import { printOutcome, showStep, type Step } from './output';

const LOOK_INTERVAL_MS = 300;

/** Exports a tenant and writes its files and manifest.json into a directory. A worker has to run. */
export async function exportTenant(
  idOrSlug: string,
  { out, json }: { readonly out: string; readonly json?: boolean },
): Promise<void> {
  const manifest = await asOperator(async (operator) => {
    const { id } = await operator.directory.get(idOrSlug);
    const caller = await operator.callerFor(id);
    const { id: exportId } = await operator.commands.execute(new RequestExport(caller, {}));
    await showStep('Export', (step) => untilCompleted(operator, caller, exportId, step));
    const contents = await operator.queries.execute(new ExportContents(caller, { id: exportId }));
    await showStep('Download', (step) => download(operator, caller, contents, out, step));
    return contents;
  });
  printOutcome(
    json,
    manifest,
    ({ files, sha256 }) => `${files.length} files in ${out}; their digest is ${sha256}.`,
  );
}

async function untilCompleted(
  { queries }: Operator,
  caller: Caller,
  id: string,
  step: Step,
): Promise<string> {
  for (;;) {
    const { status, rowsDone, rowsTotal } = await queries.execute(new ExportById(caller, { id }));
    if (status === 'completed') return `${rowsDone} rows`;
    if (status === 'failed') throw new VerbFailed('the export was given up: see the worker’s log');
    step.progress(Math.min(Number(rowsDone), Number(rowsTotal ?? 1)), Number(rowsTotal ?? 1));
    await sleep(LOOK_INTERVAL_MS);
  }
}

async function download(
  { queries, callerFor }: Operator,
  caller: Caller,
  manifest: ExportManifest,
  out: string,
  step: Step,
): Promise<string> {
  makeDirectory(out);
  for (const [index, { name }] of manifest.files.entries()) {
    step.progress(index, manifest.files.length);
    const file = { id: manifest.exportId, name };
    const pieces = await queries.execute(new ExportFile(caller, file, () => callerFor(caller.tenantId)));
    const text = Readable.from(pieces, { objectMode: false });
    await pipeline(text, createGunzip(), createWriteStream(join(out, name)));
  }
  // Last, so that a directory with a manifest is a whole export.
  writeFileSync(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return `${manifest.files.length} files`;
}

function makeDirectory(out: string): void {
  try {
    mkdirSync(out);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new WrongUsage(`${out} is there already. Name a directory that is to be made.`);
  }
}
