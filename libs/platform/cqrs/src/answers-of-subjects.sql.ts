import { statement } from '@holdfast/database';
import { subjectStore } from '@holdfast/tenancy';

const COUNT = statement<{ readonly count: bigint }>(
  'idempotency.count_answers_of_subjects',
  `select count(*) as count
   from idempotency.answers a
   where a.tenant_id = $1 and not a.refused and a.route <> 'EraseSubject'
     and exists (select from unnest($2::text[]) s (subject) where strpos(a.body::text, s.subject) > 0)`,
);

// The key stays taken: a request that is repeated must not be done again, and brings nothing back. The order to erase is
// repeated like any other: its answer is ids and counts.
const REFUSE = statement(
  'idempotency.refuse_answers_of_subjects',
  `update idempotency.answers
   set refused = true, body = $3
   where tenant_id = $1 and (actor, route, key) in (
     select a.actor, a.route, a.key
     from idempotency.answers a
     where a.tenant_id = $1 and not a.refused and a.route <> 'EraseSubject'
       and exists (select from unnest($2::text[]) s (subject) where strpos(a.body::text, s.subject) > 0)
     limit $4)`,
);

const REFUSAL = {
  code: 'resource.not_found',
  kind: 'not_found',
  message: 'There is no such object.',
  errors: [],
};
const ANSWERS_AT_A_TIME = 1_000;

// Answers are kept for a day, and those about a person hold what the person is called.
subjectStore({
  name: 'idempotency.answers',
  countRows: async (tx, subjects) => Number((await tx.row(COUNT, [tx.tenantId, subjects]))?.count ?? 0n),
  sweep: async (tx, subjects) => {
    const values = [tx.tenantId, subjects, JSON.stringify(REFUSAL), ANSWERS_AT_A_TIME];
    return (await tx.execute(REFUSE, values)) < ANSWERS_AT_A_TIME;
  },
});
