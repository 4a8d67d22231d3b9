import { z } from 'zod';
import { isEd25519, variable } from './variable';

/** What makes a worker a candidate for sealing the audit logs; each without the others is a fault. */
export const auditLog = {
  auditLogKeys: variable(
    z
      .string()
      .transform((text) =>
        text
          .split(',')
          .map((key) => key.trim())
          .filter(Boolean),
      )
      .refine((keys) => keys.length > 0 && keys.every(isEd25519), {
        error:
          'has to be a list of Ed25519 private keys as PKCS #8, in PEM or in base64 (openssl genpkey -algorithm ed25519)',
      })
      .optional(),
    {
      env: 'AUDIT_LOG_KEY_PRIVATE',
      meaning:
        'Ed25519 private keys, PKCS #8 in PEM or base64, separated by commas, that sign the checkpoints of the audit logs: `openssl genpkey -algorithm ed25519`. The first is the current one; all of them sign, while one replaces the other.',
      whenEmpty: 'This worker seals nothing. `holdfast dev` makes one.',
      secret: true,
    },
  ),
  auditSignerDirectory: variable(z.string().min(1).optional(), {
    env: 'AUDIT_SIGNER_DIRECTORY',
    meaning:
      'Where the sealer remembers the last size and root that it signed of each log: a directory that outlasts every pod, outside the database and its backups, best the same for all candidates.',
    whenEmpty: 'Fault where AUDIT_LOG_KEY_PRIVATE is set. `holdfast dev` has one in its own directory.',
  }),
};

/** A verifier key, a space and a URL. Whether the key is one is seen when it is first read: by the process, at its start. */
const WITNESS = /^(?<verifierKey>[^+\s]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2})\s+(?<url>https?:\/\/\S+)$/;

/** Who cosigns every tenant's log: for the worker, which offers checkpoints, and the API, which shows who does. */
export const auditWitnesses = variable(
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(/[,\n]/)
        .map((witness) => witness.trim())
        .filter(Boolean),
    )
    .refine((witnesses) => witnesses.length <= 16 && witnesses.every((witness) => WITNESS.test(witness)), {
      error: 'has to be a list of at most 16 witnesses, each a verifier key, a space and a URL',
    })
    .transform((witnesses) =>
      witnesses.map((text) => {
        const { verifierKey = '', url = '' } = WITNESS.exec(text)?.groups ?? {};
        return { verifierKey, url };
      }),
    ),
  {
    env: 'AUDIT_WITNESSES',
    meaning:
      'Witnesses that every tenant’s checkpoints are offered to (c2sp.org/tlog-witness), separated by commas or newlines: each a verifier key of type cosignature/v1, a space and the submission prefix. They may stand anywhere, also inside. They have to trust the key of each tenant’s log.',
    whenEmpty: 'Only tenants’ own witnesses cosign their logs.',
  },
);
