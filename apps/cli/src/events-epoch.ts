import { bumpEpoch } from '@holdfast/events';
import { asOperator } from './operator';
import { printOutcome } from './output';

/** `holdfast events epoch bump`. */
export async function bumpEpochVerb({
  reason,
  json,
}: {
  readonly reason: string;
  readonly json?: boolean;
}): Promise<void> {
  const epoch = await asOperator(({ ops, name }) => bumpEpoch(ops, name, reason));
  printOutcome(json, { epoch }, () => `Epoch ${epoch}: ticks and deliveries go on within a second.`);
}
