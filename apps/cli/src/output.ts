/** Prints the outcome of a verb: one JSON document for machines, or text for people. */
export function printOutcome<Outcome>(
  json: boolean | undefined,
  outcome: Outcome,
  text: (outcome: Outcome) => string,
): void {
  process.stdout.write(`${json ? JSON.stringify(outcome) : text(outcome)}\n`);
}

/** Columns of plain text, each as wide as its widest cell. Control characters are shown as such that cannot be shown. */
export function columns(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  // What tenants have written must not steer the terminal.
  const all = [heading, ...rows].map((row) => row.map((cell) => cell.replaceAll(/\p{Cc}/gu, '\uFFFD')));
  const widths = heading.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}

/** A step that has been begun: its label, and what has come of it so far. */
export interface Step {
  /** How much of it is done; drawn as a bar on a terminal and left out elsewhere. */
  progress(done: number, total: number): void;
  /** The same where nobody knows how much there is: what it is at, in a few words. */
  note(text: string): void;
}

const BAR_WIDTH = 24;

/**
 * Shows a piece of work while it goes on: on a terminal one line that is drawn over, elsewhere one line when it is done.
 * The work answers with what the line says in the end. Goes to standard error, so that `--json` stays clean.
 */
export async function showStep(label: string, work: (step: Step) => Promise<string>): Promise<void> {
  const { isTTY } = process.stderr;
  const draw = (text: string): void => void (isTTY && process.stderr.write(`\r\u001B[2K  ${text}`));
  const startedAtMs = performance.now();
  draw(`${label} …`);
  const end = (outcome: string): void => {
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
    draw('');
    process.stderr.write(`${isTTY ? '' : '  '}${label}: ${outcome} (${seconds} s)\n`);
  };
  try {
    end(
      await work({
        progress: (done, total) => draw(`${label} ${bar(done, total)}`),
        note: (text) => draw(`${label} ${text}`),
      }),
    );
  } catch (error) {
    end('failed');
    throw error;
  }
}

function bar(done: number, total: number): string {
  // What is watched for a time may take a moment longer.
  const shown = Math.min(done, total);
  const filled = Math.round((BAR_WIDTH * shown) / total);
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${shown}/${total}`;
}
