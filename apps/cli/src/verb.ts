import type { Command } from 'commander';

/** Adds a verb (`name <arguments>`) with its one-sentence description and examples that can be pasted. */
export function addVerb(
  parent: Command,
  usage: string,
  description: string,
  examples: readonly string[],
): Command {
  const lines = examples.map((example) => `  $ npx holdfast ${example}`).join('\n');
  return parent.command(usage).description(description).addHelpText('after', `\nExamples:\n${lines}`);
}

/** A verb whose outcome machines may want. */
export function addJsonVerb(
  parent: Command,
  usage: string,
  description: string,
  examples: readonly string[],
): Command {
  return addVerb(parent, usage, description, examples).option('--json', 'print the outcome as JSON');
}

/** The action of a verb, loaded when the verb runs: `--help` and wrong usage answer without half of the system in memory. */
export function lazily<Arguments extends readonly unknown[]>(
  load: () => Promise<(...given: Arguments) => Promise<void>>,
): (...given: Arguments) => Promise<void> {
  return async (...given) => (await load())(...given);
}
