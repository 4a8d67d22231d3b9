import { refuseUtility, statement, UtilityStatementRefused } from './statement';

const DATA = [
  'select 1',
  'SELECT(1)',
  'select/**/1',
  '((select 1) union (select 2))',
  '  \t\r\n\f\v values (1)',
  '-- why\nselect 1',
  '-- why\r\n(select 1)',
  '/* why */ insert into a values (1)',
  '/*/**/*/ select 1',
  '/* one /* two /* three */ */ */ update a set b = 1',
  '/***/ delete from a',
  '/* set */ -- reset\n /**/ merge into a using b on true when matched then do nothing',
  'with gone as (delete from a returning id) select id from gone',
  'with added as (insert into a values (1) returning id), changed as (update a set b = 1 returning id) select 1',
];

const UTILITY = [
  ...[
    'set role x',
    'SET x = 1',
    'reset all',
    'discard all',
    'show all',
    'begin',
    'commit',
    'rollback',
    'savepoint a',
  ],
  ...[
    'abort',
    'end',
    'start transaction',
    'prepare p as select 1',
    'execute p',
    'deallocate all',
    'listen a',
    'notify a',
  ],
  ...[
    'unlisten *',
    'declare c cursor with hold for select 1',
    'fetch c',
    'move c',
    'close all',
    'lock table a',
  ],
  ...[
    'explain select 1',
    'explain analyze select 1',
    'do $$ begin end $$',
    'call a()',
    'copy a to stdout',
    'load $$a$$',
  ],
  ...[
    'create table a (b int)',
    'drop table a',
    'alter table a add b int',
    'truncate a',
    'grant select on a to b',
  ],
  ...[
    'vacuum',
    'analyze',
    'checkpoint',
    'security label on table a is null',
    'comment on table a is null',
    'table a',
  ],
];

/** Texts that a reader with other rules for blanks and comments takes for data statements. */
const DISGUISED = {
  'a comment that ends later than it seems': '/* /* */ select */ reset all',
  'a comment of slashes and stars': '/*/ select 1 */ reset all',
  'a comment that a carriage return ends': '-- select\rlisten \nvalues',
  'a re-prepared statement behind a carriage return': '--\rprepare\nvalues as select 1',
  'a comment that never ends': '/* select 1',
  'a line comment and nothing else': '-- select 1',
  'a blank that is none for PostgreSQL': '\u00a0select 1',
  'a byte order mark': '\ufeffselect 1',
  'the em space': '\u2003select 1',
  'a word that only begins like one': 'selection 1',
  'a word that goes on in another alphabet': 'selectы 1',
  'a word with a dollar': 'values$1',
  'a quoted word': '"select" 1',
  'an empty command first': '; select 1',
  nothing: '',
};

describe('refuseUtility', () => {
  it.each(DATA)('lets pass: %s', (text) => expect(() => refuseUtility(text)).not.toThrow());

  it.each(UTILITY)('refuses: %s', (text) => {
    for (const before of ['', ' ', '(', '/**/', '-- x\n', '/* /* */ */']) {
      expect(() => refuseUtility(before + text)).toThrow(UtilityStatementRefused);
    }
  });

  it.each(Object.entries(DISGUISED))('refuses %s', (_, text) => {
    expect(() => refuseUtility(text)).toThrow(UtilityStatementRefused);
  });

  it('takes time in proportion to the text', () => {
    const startedAt = performance.now();
    expect(() => refuseUtility(`${'/*'.repeat(200_000)} select`)).toThrow(UtilityStatementRefused);
    expect(() => refuseUtility(`${'-- \n('.repeat(200_000)} set`)).toThrow(UtilityStatementRefused);
    // A quadratic scan of a megabyte takes minutes.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe('statement', () => {
  it('refuses a second one of the same name', () => {
    statement('test.declared_once', 'select 1');
    expect(() => statement('test.declared_once', 'select 2')).toThrow('test.declared_once');
  });
});
