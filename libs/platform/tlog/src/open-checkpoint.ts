import { type Checkpoint, parseCheckpoint } from './checkpoint';
import type { VerifierKey } from './note-keys';
import { type OpenedNote, openNote } from './signed-note';
import { check } from './tlog.errors';

/** Whom to believe about a log. */
export interface LogPolicy {
  /** The log's name, which its checkpoints begin with. */
  readonly origin: string;
  /** Keys of the log, several while one takes over from another: one of them has to have signed. */
  readonly logKeys: readonly VerifierKey[];
  /** Keys of witnesses, and how many of those have to have cosigned; without this none is wanted. */
  readonly witnesses?: { readonly keys: readonly VerifierKey[]; readonly quorum: number };
}

/** A checkpoint that satisfies a policy. */
export interface OpenedCheckpoint extends Checkpoint, OpenedNote {}

const namesOf = (keys: readonly { readonly name: string }[]): Set<string> =>
  new Set(keys.map(({ name }) => name));

function checkPolicy({ logKeys, witnesses }: LogPolicy): void {
  check(logKeys.length > 0, 'bad_argument', 'A policy has a key of the log');
  if (!witnesses) return;
  const { keys, quorum } = witnesses;
  const isCosigning = keys.every(({ type }) => type !== 'ed25519');
  check(isCosigning, 'bad_argument', 'A witness has a key for cosignatures');
  const isReachable = Number.isInteger(quorum) && quorum >= 0 && quorum <= namesOf(keys).size;
  check(isReachable, 'bad_argument', 'The quorum is between 0 and the number of witnesses');
}

/**
 * Reads a signed checkpoint that the policy is satisfied with. Witnesses count by name: two keys of one witness are one.
 *
 * Throws `bad_signature` if any key of the policy did not make what stands under its name, `unsigned` without the log,
 * `wrong_origin` for another log's checkpoint, `too_few_witnesses` below the quorum, and as `openNote` and
 * `parseCheckpoint` do.
 */
export function openCheckpoint(note: Uint8Array | string, policy: LogPolicy): OpenedCheckpoint {
  checkPolicy(policy);
  const { origin, logKeys, witnesses } = policy;
  const opened = openNote(note, [...logKeys, ...(witnesses?.keys ?? [])]);
  const checkpoint = parseCheckpoint(opened.text);
  check(checkpoint.origin === origin, 'wrong_origin', `The checkpoint is not of ${origin}`);
  const signers = opened.signatures.map(({ key }) => key);
  check(
    signers.some((key) => logKeys.includes(key)),
    'unsigned',
    `No key of ${origin} signed the checkpoint`,
  );
  const seenBy = namesOf(signers.filter((key) => witnesses?.keys.includes(key))).size;
  const wanted = witnesses?.quorum ?? 0;
  check(seenBy >= wanted, 'too_few_witnesses', `${seenBy} witnesses cosigned, of ${wanted} that are wanted`);
  return { ...opened, ...checkpoint };
}
