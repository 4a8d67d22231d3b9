import { type DomainError, idSchema, InvalidInput } from '@holdfast/kernel';
import { type AddressPolicy, URL_FAULTS } from '@holdfast/outgoing';
import { parseVerifierKey, TlogError, type VerifierKey } from '@holdfast/tlog';
import { z } from 'zod';

/** A witness by its key and where it takes checkpoints: for all tenants, as the configuration has it, or of one tenant. */
export interface WitnessPlace {
  /** C2SP signed-note, of the type that makes cosignatures. */
  readonly verifierKey: string;
  /** The submission prefix, without `/add-checkpoint`. */
  readonly url: string;
}

/** What the configuration says of witnesses, to API and worker alike. */
export interface WitnessSettings {
  /** AUDIT_WITNESSES: of every tenant's log. */
  readonly configured: readonly WitnessPlace[];
  /** WEBHOOK_ALLOWED_NETWORKS: what is not public and may be reached all the same by what tenants write down. */
  readonly allowedNetworks: readonly string[];
}

/** Witnesses that a tenant may add: each is offered a checkpoint every minute. */
export const WITNESSES_MAX = 16;

/** What POST /v1/audit/witnesses takes. */
export const addWitnessInput = z.strictObject({
  verifierKey: z
    .string()
    .max(600)
    .regex(/^[^+\s]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/)
    .meta({
      description: 'The verifier key of the witness (C2SP signed-note), of the type that makes cosignatures.',
      examples: ['witness.example.com/w1+e1bf92d2+BNTGwkph569uJjReHXu2h1uYCmQuc2ptmTfT/qNgd6s/'],
    }),
  url: z
    .url()
    .max(2_000)
    .meta({
      description: 'Its submission prefix, to which `/add-checkpoint` is added: https, and a public address.',
      examples: ['https://witness.example.com/'],
    }),
});

/** A witness on the wire. */
export const witnessView = z.object({
  id: idSchema
    .nullable()
    .meta({ description: 'Null for one that the operator has configured for all tenants.' }),
  name: z.string(),
  verifierKey: z.string(),
  url: z.string(),
  addedBy: z.string().nullable(),
  createdAt: z.iso.datetime().nullable(),
  epoch: z.string().nullable().meta({ description: 'Of the largest checkpoint that it has cosigned.' }),
  size: z.string().nullable().meta({ description: 'Of the largest checkpoint that it has cosigned.' }),
  cosignedAt: z.iso.datetime().nullable(),
  outcome: z
    .string()
    .nullable()
    .meta({ description: 'What came of the last offer, as `cosigned` or `timeout`.' }),
  triedAt: z.iso.datetime().nullable(),
  waitingSince: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Since when it has not cosigned what it was to be offered; null when it has.' }),
});

/** A witness on the wire. */
export type WitnessView = z.output<typeof witnessView>;

/** A witness with what has come of its offers. */
export interface WitnessRow {
  readonly id: string | null;
  readonly verifier_key: string;
  readonly url: string | null;
  readonly created_by: string | null;
  readonly created_at: Date | null;
  readonly epoch: number | null;
  readonly size: bigint | null;
  readonly cosigned_at: Date | null;
  readonly outcome: string | null;
  readonly tried_at: Date | null;
  readonly waiting_since: Date | null;
}

/** Shows a row; `url` is that of the configuration where the row has none. */
export function showWitness(row: WitnessRow, url: string): WitnessView {
  return {
    id: row.id,
    name: row.verifier_key.split('+')[0] ?? '',
    verifierKey: row.verifier_key,
    url: row.url ?? url,
    addedBy: row.created_by,
    createdAt: row.created_at?.toISOString() ?? null,
    epoch: row.epoch?.toString() ?? null,
    size: row.size?.toString() ?? null,
    cosignedAt: row.cosigned_at?.toISOString() ?? null,
    outcome: row.outcome,
    triedAt: row.tried_at?.toISOString() ?? null,
    waitingSince: row.waiting_since?.toISOString() ?? null,
  };
}

/** The key of a witness. Throws TlogError for what is none, and for a key that signs something else than cosignatures. */
export function witnessKey(text: string): VerifierKey {
  const key = parseVerifierKey(text);
  if (key.type !== 'cosignature/v1')
    throw new TlogError('malformed_key', 'A witness has a key for cosignatures');
  return key;
}

/** Refuses what could never cosign. Throws InvalidInput. */
export function requireWitness(policy: AddressPolicy, { verifierKey, url }: WitnessPlace): VerifierKey {
  const fault = policy.faultOf(url);
  if (fault) throw invalid('/url', 'audit.url_not_allowed', URL_FAULTS[fault]);
  try {
    return witnessKey(verifierKey);
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    throw invalid('/verifierKey', 'audit.witness_key_invalid', `${error.message}.`);
  }
}

function invalid(pointer: string, code: string, message: string): DomainError {
  return new InvalidInput([{ pointer, code, message }]);
}
