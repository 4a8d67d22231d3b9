import { CommanderError, type Command } from 'commander';
import { ConfigRefused } from '@holdfast/config';
import { exitCodeOf, printFailure, VerbFailed, WrongUsage } from './failures';
import { createProgram } from './program';

const everyVerb = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(everyVerb);

async function exitCodeFor(...words: string[]): Promise<number> {
  const program = createProgram();
  for (const verb of [program, ...everyVerb(program), ...program.commands]) {
    verb.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  }
  try {
    await program.parseAsync(['node', 'holdfast', ...words]);
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return exitCodeOf(error);
  }
}

describe('The command line', () => {
  test.each(everyVerb(createProgram()).map((verb) => [verb.name(), verb] as const))(
    'shows an example in the help of %s',
    (_, verb) => {
      let help = '';
      verb.configureOutput({ writeOut: (text) => (help += text) });
      verb.outputHelp();
      expect(help).toMatch(/Examples:\n {2}\$ npx holdfast /);
      expect(verb.description()).toMatch(/\.$/);
    },
  );

  test('ends with 0 for help and version', async () => {
    expect(await exitCodeFor('--help')).toBe(0);
    expect(await exitCodeFor('--version')).toBe(0);
    expect(await exitCodeFor('key', 'create', '--help')).toBe(0);
  });

  test.each([
    [['nonsense']],
    [['dev', '--nonsense']],
    [['dev', '--port', '70000']],
    [['tenant', 'create']],
    [['tenant']],
    [[]],
  ])('ends with 2 for the wrong usage %j', async (words) => {
    expect(await exitCodeFor(...words)).toBe(2);
  });
});

describe('A failure', () => {
  const printed = (error: unknown, json = false): string => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    printFailure(error, json);
    const text = write.mock.calls.map(([chunk]) => String(chunk)).join('');
    write.mockRestore();
    return text;
  };

  test('has the exit code 2 when it is the asker’s, else 1', () => {
    expect(exitCodeOf(new WrongUsage('no'))).toBe(2);
    expect(exitCodeOf(new ConfigRefused('api', []))).toBe(2);
    expect(exitCodeOf(new VerbFailed('found one'))).toBe(1);
    expect(exitCodeOf(new Error('broken'))).toBe(1);
  });

  test('is one JSON object for machines', () => {
    expect(JSON.parse(printed(new WrongUsage('Which?'), true))).toEqual({
      error: { code: 'WrongUsage', message: 'Which?' },
    });
  });

  test('gives no password away', () => {
    expect(printed(new Error('cannot reach postgresql://app:hunter2@db/x'))).not.toContain('hunter2');
  });

  test('of a request that did not get through says why, and not where in the program', () => {
    const cause = new Error('self-signed certificate');
    expect(printed(new TypeError('fetch failed', { cause }))).toBe(
      'The server cannot be reached (self-signed certificate).\n',
    );
  });

  test('that was printed already is not printed again', () => {
    expect(printed(new VerbFailed('found one'))).toBe('');
  });
});
