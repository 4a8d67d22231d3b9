/**
 * One SQL statement with a name. `Row` is what it returns; the name is also that of the prepared statement, so a
 * statement is parsed once per connection.
 */
export interface Statement<Row = never> {
  readonly name: string;
  readonly text: string;
  /** Never set: carries the row type. */
  readonly row?: Row;
}

const registered = new Map<string, Statement<unknown>>();

/**
 * Declares a statement. Names are unique (`area.verb_what`), and every one that is declared is prepared against the
 * migrated database by a test, so a wrong column is found before any code runs it.
 */
export function statement<Row = never>(name: string, text: string): Statement<Row> {
  if (registered.has(name)) throw new Error(`two statements are called ${name}`);
  const declared = { name, text };
  registered.set(name, declared);
  return declared;
}

/** Every statement that has been declared so far. */
export function registeredStatements(): readonly Statement<unknown>[] {
  return [...registered.values()];
}

/**
 * Refuses text that is not one plain data statement.
 *
 * Utility statements can leave something in the session for the next tenant (a re-prepared statement, a listener, a held
 * cursor, a setting). PostgreSQL runs one command per message of the extended protocol, so looking at the first word
 * behind comments and brackets is enough: none of these words begins a utility statement, and none can contain one.
 */
export function refuseUtility(text: string): void {
  const bare = text.replace(/^(?:\s|\(|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)+/, '');
  if (!/^(?:select|insert|update|delete|merge|with|values)\b/i.test(bare)) throw new UtilityStatementRefused();
}

/** A handler tried to run something other than select, insert, update, delete, merge, with or values. */
export class UtilityStatementRefused extends Error {
  override readonly name = 'UtilityStatementRefused';

  constructor() {
    super('Only data statements run inside a transaction of a tenant or a system role.');
  }
}
