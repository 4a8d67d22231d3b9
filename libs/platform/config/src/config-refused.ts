/** One variable that is missing or wrong, said without its value. */
export interface ConfigFault {
  readonly variable: string;
  readonly message: string;
}

/** The environment does not hold what the app needs. Lists every fault at once, so that one restart mends them all. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';

  constructor(
    readonly app: string,
    readonly faults: readonly ConfigFault[],
  ) {
    const lines = faults.map(({ variable, message }) => `  ${variable} ${message}`);
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
    super(
      [
        `The configuration of ${app} has ${count}:`,
        ...lines,
        'Each variable is described in libs/platform/config/README.md; NAME_FILE names a file that holds the value.',
      ].join('\n'),
    );
  }
}
