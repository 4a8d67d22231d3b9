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

/** Who reads may stop reading (`holdfast --help | head`). What is printed then is for nobody; the verb does its work all the same. */
function outliveReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

for (const output of [process.stdout, process.stderr]) output.on('error', outliveReader);
void main(process.argv);
