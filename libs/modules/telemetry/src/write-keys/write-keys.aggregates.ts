import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { writeKeyCreated, writeKeyRevoked } from './write-keys.events';

interface WriteKey {
  readonly isRevoked: boolean;
}

aggregate<WriteKey>('telemetry.write_key', {
  rows: statement<AggregateRow<WriteKey>>(
    'telemetry.list_folded_write_keys',
    `select id, version as "streamVersion", revoked_at is not null as "isRevoked"
     from telemetry.write_keys
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(writeKeyCreated, () => ({ isRevoked: false })),
    on(writeKeyRevoked, () => ({ isRevoked: true })),
  ],
});
