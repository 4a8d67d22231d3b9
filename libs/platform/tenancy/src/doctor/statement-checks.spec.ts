import { statementOffences } from './statement-checks';

const TABLES = new Set(['ledger.accounts', 'events.log']);
const offencesOf = (text: string): string[] =>
  statementOffences([{ name: 'test.subject', text }], TABLES).map(({ object }) => object);

describe('statementOffences', () => {
  it.each([
    'select id from ledger.accounts where id = $1',
    'select l.id from tenants.days d join events.log l on l.tenant_id = d.tenant_id',
    'update ledger.accounts set code = $1',
    'delete from\n  events.log',
    'insert into ledger.accounts (id, tenant_id) select $1, id from public.other',
    'merge into ledger.accounts using (select 1) s on true when matched then delete',
  ])('finds: %s', (text) => expect(offencesOf(text)).toEqual(['test.subject']));

  it.each([
    'select id from ledger.accounts where tenant_id = $1',
    'select id from ledger.accounts a where a.tenant_id = any ($1)',
    'insert into events.log as l (tenant_id, id) values ($1, $2)',
    'select seq from events.read_range($1)',
    'select id from events.ticks',
    'select pg_catalog.count(*) from pg_class',
  ])('accepts: %s', (text) => expect(offencesOf(text)).toEqual([]));
});
