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
