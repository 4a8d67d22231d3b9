/**
 * Lines that only one of two texts has, as in a diff; the order of lines is not looked at. Short enough to read in the log
 * of a run, where two whole dumps are not.
 */
export function lineDifferences(written: string, actual: string): string[] {
  const [before, after] = [new Set(written.split('\n')), new Set(actual.split('\n'))];
  return [
    ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
    ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
  ];
}
