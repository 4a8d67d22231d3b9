import { counter, gauge, histogram } from '@holdfast/observability';

/** Why a tenant's log is not signed any further; see the runbook. */
export const REFUSALS = ['behind', 'changed', 'fork', 'root', 'tiles', 'unreadable', 'unverified'] as const;

/** One of them. */
export type Refusal = (typeof REFUSALS)[number];

/** Whether this process is the sealer. */
export const sealerLeading = gauge({
  name: 'holdfast_audit_sealer_leading',
  help: '1 while this process holds the lease of the sealer.',
});

/** Events that have their leaves. */
export const sealedTotal = counter({
  name: 'holdfast_audit_sealed_events_total',
  help: 'Events that were given their leaves.',
});

/** Rounds that sealed something. */
export const roundsTotal = counter({
  name: 'holdfast_audit_sealing_rounds_total',
  help: 'Rounds of the sealer that gave leaves their places.',
});

/** Time that a round took. */
export const roundSeconds = histogram({
  name: 'holdfast_audit_sealing_round_seconds',
  help: 'Seconds that a round of the sealer took, from its look at the log until its leaves were committed.',
});

/** Checkpoints that were signed and stored. */
export const checkpointsTotal = counter({
  name: 'holdfast_audit_checkpoints_total',
  help: 'Checkpoints that were signed and stored.',
});

/** Age of the oldest event of what a checkpoint adds, when the checkpoint is stored. */
export const sealLagSeconds = histogram({
  name: 'holdfast_audit_seal_lag_seconds',
  help: 'Seconds from the append of the oldest event that a checkpoint adds until the checkpoint is stored.',
  buckets: [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300],
});

/** How long the oldest leaf waits that no checkpoint covers. */
export const unsignedSeconds = gauge({
  name: 'holdfast_audit_unsigned_seconds',
  help: 'Seconds that the oldest leaves wait for a checkpoint; 0 while none do.',
});

/** Tenants whose logs are not signed any further, by reason. */
export const refusedTenants = gauge({
  name: 'holdfast_audit_refused_tenants',
  help: 'Tenants whose log the sealer refuses to sign, because it is not the one that it signed before.',
  labels: ['reason'],
});

/** Checkpoints that were taken over from the database, for want of a memory of them. */
export const adoptedTotal = counter({
  name: 'holdfast_audit_adopted_checkpoints_total',
  help: 'Checkpoints of the database that the signer took over because it had no memory of them.',
});

/** Epochs that began behind another one. */
export const epochsTotal = counter({
  name: 'holdfast_audit_epochs_total',
  help: 'Epochs of logs that began because the database is another one than before.',
});

/** What is known of the standby that has to have what is signed. */
export const standbyState = gauge({
  name: 'holdfast_audit_standby',
  help: '1 for what the sealer knows of standbys: none, following, hidden (its position is not to be seen) or gone.',
  labels: ['state'],
});
