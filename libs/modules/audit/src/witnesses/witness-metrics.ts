import { counter, gauge } from '@holdfast/observability';

/** Offers, by what came of them. */
export const offersTotal = counter({
  name: 'holdfast_audit_witness_offers_total',
  help: 'Checkpoints that were offered to witnesses, by what came of it.',
  labels: ['whose', 'outcome'],
});

/** How long the one that has waited longest has waited. */
export const waitingSeconds = gauge({
  name: 'holdfast_audit_witness_waiting_seconds',
  help: 'Since when a witness has not cosigned what it was offered: the longest, of configured ones and of those of tenants.',
  labels: ['whose'],
});
