import { type Caller, newId } from '@holdfast/kernel';
import { TestDatabase, testRoutes } from '@holdfast/testing';
import { Attack, SECRET, textOf } from '../test/attack';
import { stockTables, type TenantTable, valueOf } from '../test/stocked-tables';
import type { TenantDatabase } from './tenant-database';

/** Every function that the application may call, and the types of its arguments. */
const FUNCTIONS = `select format('%I.%I', n.nspname, f.proname) as name,
    array(select format_type(t.oid, null) from unnest(f.proargtypes) with ordinality a (type, place) join pg_type t on t.oid = a.type order by a.place) as types
  from pg_proc f
  join pg_namespace n on n.oid = f.pronamespace
  where n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and f.prokind = 'f' and f.prorettype <> 'trigger'::regtype
    and has_function_privilege('holdfast_app', f.oid, 'execute') and has_schema_privilege('holdfast_app', n.oid, 'usage')
  order by 1`;

/** What can be tried on any table of tenants. `$1` is the victim's id, in every uuid of the victim's row. */
function attacksOn({ name, columns }: TenantTable): string[] {
  const list = columns.map((column) => column.name).join(', ');
  const copy = columns.map((column) => (column.name === 'tenant_id' ? '$1::uuid' : column.name)).join(', ');
  return [
    `select *, $1::uuid from ${name}`,
    `select to_jsonb(t) as row from ${name} t where t.tenant_id = $1`,
    `select t::text as row from ${name} t where t.tenant_id = $1 or true`,
    `select t.* from ${name} t, ${name} other where other.tenant_id = $1 or t.tenant_id is not null`,
    `select *, $1::uuid from ${name} for update`,
    `select count(*) filter (where tenant_id = $1) as foreign_count from ${name}`,
    `update ${name} set tenant_id = $1 returning *`,
    `delete from ${name} where tenant_id = $1 or true returning *`,
    `insert into ${name} (${list}) select ${copy} from ${name} returning *`,
    ...columns.map(
      (column) =>
        `update ${name} set ${column.name} = ${column.name} where tenant_id = $1 or true returning *`,
    ),
    ...columns.map((column) => `select max(${column.name}::text) as row, $1::uuid from ${name}`),
  ];
}

/** A thousand transactions, and more with every table; minutes on a machine that does ten other things. */
const ATTACKS_TIMEOUT_MS = 240_000;

describe.each(testRoutes())('Whatever the catalogue offers the application, $route', (route) => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let attacker: Caller;
  let victim: Caller;
  let tables: TenantTable[];
  const attack = new Attack('generated', (tenantId) => tenantId === victim.tenantId);

  beforeAll(async () => {
    database = await TestDatabase.createFor(route);
    tenants = database.tenants();
    [attacker, victim] = [await database.caller(newId()), await database.caller(newId())];
    tables = await stockTables(database, victim.tenantId);
  });
  afterAll(() => database.drop());

  /** Everything that the victim has, by table. */
  const belongings = async (): Promise<Record<string, unknown>> => {
    const rows: Record<string, unknown> = {};
    for (const { name } of tables) {
      rows[name] = await database.admin(
        `select t::text as row from ${name} t where tenant_id = $1 order by 1`,
        [victim.tenantId],
      );
    }
    return rows;
  };

  /** What the attacker is told, errors with all their fields; what could be committed, was. */
  const told = async (text: string, values: readonly unknown[]): Promise<string> =>
    textOf(
      await tenants
        .transaction(attacker, (tx) => attack.inject(tx, text, values))
        .catch((error: unknown) => ({ ...(error as object), message: String(error) })),
      text,
    );

  it(
    'shows no row of another tenant, and changes none, in any table',
    async () => {
      const before = await belongings();
      expect(tables.length).toBeGreaterThan(8);
      for (const rows of Object.values(before)) expect(JSON.stringify(rows)).toContain(victim.tenantId);
      const shown: string[] = [];
      for (const text of tables.flatMap(attacksOn)) {
        const answer = await told(text, [victim.tenantId]);
        if (answer.includes(SECRET) || /"foreign_count":"[1-9]/.test(answer)) shown.push(text);
      }
      expect(shown).toEqual([]);
      expect(await belongings()).toEqual(before);
    },
    ATTACKS_TIMEOUT_MS,
  );

  it(
    'shows and changes as little by any function, whatever it is given',
    async () => {
      const functions = await database.admin<{ name: string; types: string[] }>(FUNCTIONS);
      expect(functions.length).toBeGreaterThan(8);
      const before = await belongings();
      const shown: string[] = [];
      for (const { name, types } of functions) {
        const asked = types.map((type) => valueOf(type, victim.tenantId).replaceAll(SECRET, 'x'));
        const withGrant = types.map((type, index) =>
          type === 'text' ? '$1' : type === 'text[]' ? 'array[$1]' : asked[index],
        );
        const attempts: readonly (readonly [string, readonly unknown[]])[] = [
          [`select ${name}(${types.map((type) => `null::${type}`).join(', ')}) as row`, []],
          [`select ${name}(${asked.join(', ')}) as row`, []],
          [`select r.* from ${name}(${asked.join(', ')}) r`, []],
          ...(withGrant.some((argument) => argument?.includes('$1'))
            ? [[`select ${name}(${withGrant.join(', ')}) as row`, [victim.grant]] as const]
            : []),
        ];
        for (const [text, values] of attempts) {
          if ((await told(text, values)).includes(SECRET)) shown.push(text);
        }
      }
      expect(shown).toEqual([]);
      expect(await belongings()).toEqual(before);
    },
    ATTACKS_TIMEOUT_MS,
  );

  it('has been tried, and has shown nothing', () => {
    attack.report(route.route);
    expect(attack.attempts).toBeGreaterThan(200);
    expect(attack.foreignRows).toBe(0);
  });
});
