import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { webhookChanged, webhookCreated, webhookDisabled, webhookEnabled } from './webhooks.events';
import { webhookRemoved, webhookSecretRotated, webhookTested } from './webhooks.events';

interface Webhook {
  readonly disabledReason: 'tenant' | 'gone' | 'failing' | null;
}

// Of a removed one the row stays until the housekeeper has deleted what belongs to it.
aggregate<Webhook>('webhooks.endpoint', {
  rows: statement<AggregateRow<Webhook>>(
    'webhooks.list_folded_endpoints',
    `select id, version as "streamVersion", disabled_reason as "disabledReason"
     from webhooks.endpoints
     where tenant_id = $1 and id > $2 and removed_at is null
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(webhookCreated, () => ({ disabledReason: null })),
    on(webhookChanged, () => ({})),
    on(webhookEnabled, () => ({ disabledReason: null })),
    on(webhookDisabled, ({ reason }) => ({ disabledReason: reason })),
    on(webhookSecretRotated, () => ({})),
    on(webhookRemoved, () => null),
    on(webhookTested, () => ({})),
  ],
});
