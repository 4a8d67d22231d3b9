import { counter } from '@holdfast/observability';

/** Proofs that were asked for and could not be given, because what is stored is not what was sealed. */
export const refusedProofs = counter({
  name: 'holdfast_audit_refused_proofs_total',
  help: 'Proofs that could not be given, because the stored event or its tiles are not what was sealed.',
});
