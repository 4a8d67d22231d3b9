import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { newId } from '@holdfast/kernel';
import type { TelemetryStore } from '@holdfast/clickhouse';

const root = path.resolve(__dirname, '../../../..');
const VIEWS = {
  text: `select name from system.tables where database = 'telemetry' and engine like '%View' order by name limit 1000`,
};

/** Views of ClickHouse that answer without a tenant, or with rows for a tenant that nobody is. None is right. */
export async function findOpenViews(store: TelemetryStore): Promise<string[]> {
  const nobody = newId();
  const found: string[] = [];
  const count = (from: string): Promise<number | undefined> =>
    store
      .read<{ rows: string }>(nobody, { text: `select count() as rows from ${from}` }, {})
      .then(([row]) => Number(row?.rows))
      .catch(() => undefined); // Refused, which is what is wanted.
  const views = await store.read<{ name: string }>(nobody, VIEWS, {});
  if (views.length === 0) found.push('telemetry has no view at all');
  for (const { name } of views) {
    const view = `telemetry.${name}`;
    if ((await count(view)) !== undefined) found.push(`${view} answers without a tenant`);
    const rows = await count(`${view}(tenant_id = {tenant_id:UUID})`);
    if (rows !== 0 && rows !== undefined) found.push(`${view} shows rows of other tenants`);
  }
  return found;
}

/** A source file by its path below the root, and its text. */
export type Source = readonly [path: string, text: string];

/** Every file of a module that may hold a statement. ClickHouse's schema is the platform's. */
export function statementSources(): Source[] {
  return globSync('libs/modules/**/*.{query,sql,command,listener}.ts', { cwd: root }).map((file) => [
    file,
    readFileSync(path.join(root, file), 'utf8'),
  ]);
}

/** `telemetry.write_keys` is a table of PostgreSQL, under row-level security. */
const READS = /\b(?:from|join)\s+(telemetry\.(?!write_keys\b)\w+)(\(tenant_id = \{tenant_id:UUID\})?/gi;

/** Statements that read ClickHouse past the views that take a tenant: `file: table`. None is right. */
export function findUnboundReads(sources: readonly Source[]): string[] {
  return sources.flatMap(([file, text]) =>
    [...text.matchAll(READS)]
      .filter(([, , bound]) => bound === undefined)
      .map(([, table]) => `${file}: ${table}`),
  );
}
