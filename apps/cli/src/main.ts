import 'reflect-metadata';
import { createProgram } from './program';
import { exitCodeOf, printFailure } from './failures';

/** `holdfast`. Ends with 0 when done, 1 when it failed, 2 when it was asked wrongly. */
async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...argv]);
  } catch (error) {
    printFailure(error, argv.includes('--json'));
    process.exitCode = exitCodeOf(error);
  }
}

void main(process.argv);
