import { columns } from '../output';
import type { DevFile } from './dev-file';

/** What a person wants to know once everything runs. The same is in dev.json. */
export function devTable(running: DevFile, operatorKey: string, directory: string): string {
  const { api, graphql, docs, ingest, metrics, database, tenants } = running;
  const urls = columns(
    ['', ''],
    [
      ['API', `${api}/v1`],
      ['Reference', docs],
      ['GraphQL', graphql],
      ['Ingest', ingest],
      ['Metrics', metrics],
      ['PostgreSQL', database.admin],
      ['Operator key', operatorKey],
    ],
  );
  const keys = columns(
    ['tenant', 'id', 'key', 'write key'],
    tenants.map(({ slug, id, adminKey, writeKey }) => [slug, id, adminKey, writeKey ?? 'none']),
  );
  const [first] = tenants;
  const next = first
    ? `Try:   curl -s -H "authorization: Bearer ${first.adminKey}" ${api}/v1/ledger/accounts`
    : 'No tenants yet:   npx holdfast tenant create acme && npx holdfast key create acme';
  return [
    '',
    'Holdfast runs.',
    urls.trimStart(),
    ...(first ? ['', keys] : []),
    '',
    next,
    `Data:  ${directory}   Stop: Ctrl-C   Begin anew: npm start -- --reset`,
    '',
  ].join('\n');
}
