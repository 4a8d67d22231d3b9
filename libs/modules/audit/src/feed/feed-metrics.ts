import { counter, gauge } from '@holdfast/observability';

/** Requests that wait for what is not sealed yet. */
export const feedFollowers = gauge({
  name: 'holdfast_audit_feed_followers',
  help: 'Requests to the feed that wait in this process for what is not sealed yet.',
});

/** Lines that were handed out. */
export const feedLines = counter({
  name: 'holdfast_audit_feed_lines_total',
  help: 'Lines of the feed that were handed out, by kind (event, epoch, pruned, missing).',
  labels: ['kind'],
});
