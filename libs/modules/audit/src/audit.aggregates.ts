import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { witnessAdded, witnessRemoved } from './witnesses/witnesses.events';

interface Witness {
  readonly key: string;
}

aggregate<Witness>('audit.witness', {
  rows: statement<AggregateRow<Witness>>(
    'audit.list_folded_witnesses',
    `select id, 1::bigint as "streamVersion", split_part(verifier_key, '+', 1) || '+' || split_part(verifier_key, '+', 2) as key
     from audit.witnesses
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [on(witnessAdded, ({ key }) => ({ key })), on(witnessRemoved, () => null)],
});
