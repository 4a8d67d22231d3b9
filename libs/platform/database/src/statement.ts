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

/** What PostgreSQL's scanner skips: its six blanks, a comment to the end of the line, and brackets around a query. */
const SKIPPED = /(?:[ \t\n\r\f\v(]|--[^\n\r]*)*/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const DATA_STATEMENT = /(?:select|insert|update|delete|merge|with|values)(?![\w$\u0080-\uffff])/iy;

/**
 * Refuses text that is not one plain data statement.
 *
 * Utility statements can leave something in the session for the next tenant (a re-prepared statement, a listener, a held
 * cursor, a setting). PostgreSQL runs one command per message of the extended protocol, so looking at the first word
 * behind comments and brackets is enough: none of these words begins a utility statement, and none can contain one.
 * Comments nest and lines end as in PostgreSQL's own scanner (scan.l); a text that is read in two ways would pass here
 * as one thing and run there as another.
 */
export function refuseUtility(text: string): void {
  let start = skipBlanks(text, 0);
  while (text.startsWith('/*', start)) start = skipBlanks(text, endOfComment(text, start));
  DATA_STATEMENT.lastIndex = start;
  if (!DATA_STATEMENT.test(text)) throw new UtilityStatementRefused();
}

function skipBlanks(text: string, from: number): number {
  SKIPPED.lastIndex = from;
  SKIPPED.test(text);
  return SKIPPED.lastIndex;
}

/** Where the comment that starts at `from` ends, those inside it included; an unfinished one ends with the text. */
function endOfComment(text: string, from: number): number {
  let depth = 0;
  COMMENT_EDGE.lastIndex = from;
  for (let edge = COMMENT_EDGE.exec(text); edge; edge = COMMENT_EDGE.exec(text)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  return text.length;
}

/** A handler tried to run something other than select, insert, update, delete, merge, with or values. */
export class UtilityStatementRefused extends Error {
  override readonly name = 'UtilityStatementRefused';

  constructor() {
    super('Only data statements run inside a transaction of a tenant or a system role.');
  }
}
