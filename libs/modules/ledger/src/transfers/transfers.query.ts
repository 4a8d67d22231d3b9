import { instantSchema } from '@holdfast/kernel';
import { Cursors, page, type Page, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { listOfAccount } from './transfers-of-account.query';
import { showTransfer, type TransferRow, type TransferView } from './transfer';
import type { TransfersInput } from './transfer-filter';

/**
 * The tenant's transfers, newest first by the instant of booking. A page costs what its rows cost: where a filter leaves out
 * nearly all, a page looks at `LOOKED_AT_MAX` transfers, and may be short or empty though there are more behind its cursor.
 */
export class Transfers extends TenantQuery<TransfersInput, Page<TransferView>> {
  readonly scope = 'ledger:read';
}

/** Transfers that one page looks at, at most: some 10 ms. */
const LOOKED_AT_MAX = 2_000;

// `from`, `to` and the cursor are a range of the index by time. Kind, status and effective date are looked at behind it, and
// so the range ends after LOOKED_AT_MAX transfers. A batch is booked at one instant, so the id decides among its transfers
// and no page loses one.
const LIST = statement<TransferRow>(
  'ledger.list_transfers',
  `select t.id, t.kind, t.target_id, t.debit_account_id, t.credit_account_id, t.asset, t.amount, t.debit_version,
     t.credit_version, t.effective_date::text as effective_date, t.metadata, f.id as follower_id, f.kind as follower_kind,
     to_char(t.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as expires_at,
     to_char(t.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
   from ledger.transfers t
   left join lateral (
     select f.id, f.kind from ledger.transfers f
     where f.tenant_id = $1 and f.target_id = t.id and f.refusal is null
     limit 1) f on true
   where t.tenant_id = $1 and t.refusal is null
     and (t.booked_at, t.id) < ($2::timestamptz, $3::uuid) and (t.booked_at, t.id) >= ($4::timestamptz, $5::uuid)
     and ($6::text is null or t.kind = $6)
     and ($7::text is null or $7 = case case when t.kind = 'hold' and f.kind is not null then f.kind else t.kind end
       when 'hold' then 'pending' when 'void' then 'voided' when 'expiry' then 'expired' else 'posted' end)
     and ($8::date is null or t.effective_date >= $8) and ($9::date is null or t.effective_date <= $9)
   order by t.booked_at desc, t.id desc
   limit $10`,
);

type Position = Pick<TransferRow, 'booked_at' | 'id'>;

// How far is asked for, so that no plan is made for its value: of any tenant a two-hundredth of the table is expected, and where that is less,
// all that it has would be read and sorted.
/** The transfer that is the last to be looked at; none where there are fewer. */
const FIND_HORIZON = statement<Position>(
  'ledger.find_transfers_horizon',
  `select id, to_char(booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as booked_at
   from ledger.transfers
   where tenant_id = $1 and refusal is null
     and (booked_at, id) < ($2::timestamptz, $3::uuid) and (booked_at, id) >= ($4::timestamptz, $5::uuid)
   order by ledger.transfers.booked_at desc, id desc
   limit 1 offset (select $6::bigint)`,
);

/** A place in the list: before it, or from it on. */
type Place = readonly [bookedAt: string, id: string];

const LOWEST_ID = '00000000-0000-0000-0000-000000000000';
/** Behind every transfer there can be, and before. */
const LAST: Place = ['infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
const FIRST: Place = ['-infinity', LOWEST_ID];

const cursors = new Cursors('ledger.transfers', z.tuple([instantSchema, z.guid()]));

@QueryHandler(Transfers)
export class TransfersHandler implements IQueryHandler<Transfers> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Transfers): Promise<Page<TransferView>> {
    const { accountId } = input;
    return this.tenants.reading(caller, (tx) =>
      accountId === undefined
        ? this.list(tx, input)
        : listOfAccount(tx, { ...input, accountId }, LOOKED_AT_MAX),
    );
  }

  private async list(tx: TenantTx, input: TransfersInput): Promise<Page<TransferView>> {
    const { caller } = tx;
    const { limit, kind = null, status = null, from, to, effectiveFrom = null, effectiveTo = null } = input;
    const until = cursors.decode(caller, input.after) ?? (to === undefined ? LAST : [to, LOWEST_ID]);
    const since: Place = from === undefined ? FIRST : [from, LOWEST_ID];
    const filters = [kind, status, effectiveFrom, effectiveTo];
    const isFiltered = filters.some((filter) => filter !== null);
    const encode = ({ booked_at: bookedAt, id }: Position): string => cursors.encode(caller, [bookedAt, id]);
    const horizon = isFiltered
      ? await tx.row(FIND_HORIZON, [tx.tenantId, ...until, ...since, LOOKED_AT_MAX - 1])
      : undefined;
    const lowest = horizon ? [horizon.booked_at, horizon.id] : since;
    const rows = await tx.rows(LIST, [tx.tenantId, ...until, ...lowest, ...filters, limit + 1]);
    return page(rows, limit, showTransfer, encode, horizon && encode(horizon));
  }
}
