import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  BeginImport,
  digestOf,
  type ExportManifest,
  exportManifestView,
  FinishImport,
  importedTenantInput,
  ImportRows,
} from '@holdfast/tenants';
import type { Caller } from '@holdfast/kernel';
import { WrongUsage } from './failures';
import { parseInput } from './input';
import { asOperator, type Operator } from './operator';
import { printOutcome, showStep, type Step } from './output';

/** One transaction each: few enough to stay short, whatever the rows hold. */
const LINES_MAX = 500;
const CHARACTERS_MAX = 2_000_000;
/** Its one line is taken over by the end of the import: the tenant that is filled has a row already. */
const OWN_ROW = 'tenants.tenants';

/** Reads an export into an empty tenant, once all its checksums are found right. Interrupted, it is run again. */
export async function importTenant(
  directory: string,
  { into, json }: { readonly into: string; readonly json?: boolean },
): Promise<void> {
  const manifest = readManifest(directory);
  await showStep('Checksums', async (step) => {
    await verify(directory, manifest, step);
    return `${manifest.files.length} files are as the manifest says`;
  });
  await asOperator(async (operator) => {
    const caller = await operator.callerFor((await operator.directory.get(into)).id);
    await showStep('Import', (step) => readIn(operator, caller, directory, manifest, step));
  });
  printOutcome(
    json,
    manifest,
    ({ slug }) => `${into} is what ${slug} was. Secrets are in no export: make new keys.`,
  );
}

function readManifest(directory: string): ExportManifest {
  const text = readFileSync(join(directory, 'manifest.json'), 'utf8');
  return parseInput(exportManifestView, JSON.parse(text));
}

async function verify(directory: string, { files, sha256 }: ExportManifest, step: Step): Promise<void> {
  if (digestOf(files) !== sha256)
    throw new WrongUsage('The manifest contradicts itself: its digest is another.');
  for (const [index, file] of files.entries()) {
    const digest = createHash('sha256');
    for await (const piece of createReadStream(join(directory, file.name))) digest.update(piece as Buffer);
    if (digest.digest('hex') !== file.sha256) throw new WrongUsage(`${file.name} is not what was exported.`);
    step.progress(index + 1, files.length);
  }
}

async function readIn(
  { commands }: Operator,
  caller: Caller,
  directory: string,
  { files, sha256 }: ExportManifest,
  step: Step,
): Promise<string> {
  const total = files.reduce((sum, { rows }) => sum + rows, 0);
  let done = 0;
  await commands.execute(new BeginImport(caller, { sha256 }));
  for (const { name, table } of files.filter((file) => file.table !== OWN_ROW)) {
    for await (const lines of pagesOf(join(directory, name))) {
      await commands.execute(new ImportRows(caller, { table, lines }));
      done += lines.length;
      step.progress(done, total);
    }
  }
  const own = readFileSync(join(directory, `${OWN_ROW}.ndjson`), 'utf8');
  const tenant = parseInput(importedTenantInput, JSON.parse(own));
  await commands.execute(new FinishImport(caller, { sha256, tenant }));
  return `${done} rows`;
}

async function* pagesOf(path: string): AsyncGenerator<string[]> {
  let page: string[] = [];
  let characters = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    page.push(line);
    characters += line.length;
    if (page.length < LINES_MAX && characters < CHARACTERS_MAX) continue;
    yield page;
    page = [];
    characters = 0;
  }
  if (page.length > 0) yield page;
}
