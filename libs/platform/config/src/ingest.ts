import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { connectionString, isEd25519, variable, wholeNumber } from './variable';

/** Write keys are signed with it. Given as PEM or base64, read as base64 of PKCS #8. */
export const writeKeyPrivate = variable(
  z
    .string()
    .refine(isEd25519, {
      error:
        'has to be an Ed25519 private key as PKCS #8, in PEM or in base64 (openssl genpkey -algorithm ed25519)',
    })
    .transform((text) =>
      text.includes('BEGIN')
        ? createPrivateKey(text).export({ format: 'der', type: 'pkcs8' }).toString('base64')
        : text,
    )
    .optional(),
  {
    env: 'WRITE_KEY_PRIVATE',
    meaning:
      'Ed25519 private key, PKCS #8 in PEM or base64, that signs write keys and the list of those that are revoked: `openssl genpkey -algorithm ed25519`. The same for every API. Write keys are as good as their signature, so another private key makes the old ones worthless once WRITE_KEY_PUBLIC lacks its public half.',
    whenEmpty: 'No write key is made (`telemetry.not_configured`). `holdfast dev` makes one.',
    secret: true,
  },
);

export const ingestUrl = variable(connectionString('http', 'https').optional(), {
  env: 'HOLDFAST_INGEST_URL',
  meaning:
    'Where the API sends what members do, to be read in telemetry beside what they changed: `http://ingest:8081`. Nothing waits for it, and nothing fails without it. It also takes WRITE_KEY_PRIVATE.',
  whenEmpty: 'What members do is not recorded as telemetry. `holdfast dev` sends it to its own ingest.',
});

function publicKeyOf(text: string): KeyObject | undefined {
  try {
    const key = text.includes('BEGIN')
      ? createPublicKey(text)
      : createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' && !text.includes('PRIVATE') ? key : undefined;
  } catch {
    return undefined;
  }
}

/** What ingest needs beside what every process reads. */
export const ingestion = {
  writeKeyPublic: variable(
    z
      .string()
      .transform((text) =>
        text
          .split(',')
          .map((key) => key.trim())
          .filter(Boolean),
      )
      .refine((keys) => keys.length > 0 && keys.every(publicKeyOf), {
        error:
          'has to be a list of Ed25519 public keys as SPKI, in PEM or in base64 (openssl pkey -pubout), separated by commas',
      })
      .transform((keys) =>
        keys.flatMap(
          (text) => publicKeyOf(text)?.export({ format: 'der', type: 'spki' }).toString('base64') ?? [],
        ),
      ),
    {
      env: 'WRITE_KEY_PUBLIC',
      meaning:
        'The public half of WRITE_KEY_PRIVATE, SPKI in PEM or base64: `openssl pkey -pubout`. Several, separated by commas, while one replaces the other.',
      whenEmpty: 'Fault: no write key could be verified. `holdfast dev` derives it.',
    },
  ),
  apiUrl: variable(connectionString('http', 'https'), {
    env: 'HOLDFAST_API_URL',
    meaning:
      'Where ingest asks the API for revoked write keys, plans and drills, every 5 s: `http://api:8080`. While the API is away the last answer holds, also after a restart.',
    whenEmpty: 'Fault: a revoked key would be taken for ever.',
  }),
  directory: variable(z.string().min(1), {
    env: 'INGEST_DIRECTORY',
    meaning:
      'Where ingest keeps the list of revoked keys, and events while their store is away: a directory of this process alone that outlasts it, on a disk with room for INGEST_SPILL_MAX_MB.',
    whenEmpty: 'Fault. `holdfast dev` has one in its own directory.',
  }),
  spillMaxMb: variable(wholeNumber(1, 1_048_576, 1_024), {
    env: 'INGEST_SPILL_MAX_MB',
    meaning: 'How much is kept on disk for each store that is away; beyond that the oldest is dropped.',
    unit: 'MiB',
    whenEmpty: '1,024: over an hour of 1,000 small events a second.',
  }),
  ringMb: variable(wholeNumber(1, 65_536, 64), {
    env: 'INGEST_RING_MB',
    meaning:
      'How much memory is kept by what waits for each store. What comes while it is full is dropped and counted.',
    unit: 'MiB',
    whenEmpty: '64.',
  }),
  bodiesMb: variable(wholeNumber(1, 65_536, 64), {
    env: 'INGEST_BODIES_MB',
    meaning:
      'How much memory bodies take that are still coming in, of all requests together. Beyond that the one that has been coming for longest is answered 429, to be sent again.',
    unit: 'MiB',
    whenEmpty: '64: over a hundred of the largest.',
  }),
  connectionsMax: variable(wholeNumber(1, 1_000_000, 8_000), {
    env: 'INGEST_CONNECTIONS_MAX',
    meaning:
      'How many connections may be open. One more is closed at once; SDKs try again. The process has to be allowed more open files than that.',
    whenEmpty: '8,000.',
  }),
  shed: variable(z.enum(['ack', '429']).default('ack'), {
    env: 'INGEST_SHED',
    meaning:
      'What a sender is answered whose events are dropped because there is no room: `ack` says that they are taken, so that no SDK sends them again and makes it worse; `429` says to try again later. They are counted in either case. Over its quota a tenant is always answered 429.',
    whenEmpty: '`ack`.',
  }),
};
