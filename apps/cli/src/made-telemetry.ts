/** Events of a tenant over a time, and of nineteen others with a twentieth of it between them. */
export interface MadeRows {
  readonly tenantId: string;
  readonly events: number;
  readonly beginMs: number;
  readonly endMs: number;
  /** Which of how many pieces, in the order of time. */
  readonly place: number;
  readonly pieces: number;
  /** The events themselves, or a second copy of one in a hundred. */
  readonly copy: 0 | 1;
}

/**
 * Inserts one of several pieces, in the order of time: 30 names and 100,000 users by Zipf's law (the logarithm of the rank is uniform),
 * properties of 150 bytes with few values, some, and one of each event; one in a hundred comes twice. The database makes the
 * rows, as reading them from text is not what is measured.
 */
export const INSERT_MADE = `insert into telemetry.tracked (tenant_id, message_id, kind, name, user_id, anonymous_id, group_id, at, made_at, received_at, key_id,
      keep_days, properties, context, stored_at)
    with number as nth, sipHash64(nth, {place:UInt32}) as h, (h % 1000003) / 1000003 as one,
      (intDiv(h, 1000003) % 1000003) / 1000003 as two, (sipHash64(h, 1) % 1000003) / 1000003 as three,
      toInt64({from_ms:Int64} + three * {piece_ms:Int64}) as ms, toUInt32(exp(one * log(31))) as name_rank,
      toUInt32(exp(two * log(100001))) as user_rank
    select if(nth % 21 = 20, toUUID(concat('22222222-2222-4222-8222-', leftPad(toString(1 + h % 19), 12, '0'))), toUUID({tenant:String})),
      toString(reinterpretAsUUID(sipHash128(h))), multiIf(name_rank < 25, 'track', name_rank < 29, 'page', 'identify'),
      concat('Event ', toString(name_rank)), if(h % 10 = 0, '', concat('user-', leftPad(toString(user_rank), 6, '0'))),
      concat('anon-', leftPad(toString(user_rank), 6, '0')), if(h % 3 = 0, concat('group-', toString(user_rank % 500)), ''),
      fromUnixTimestamp64Milli(ms, 'UTC'), ms, fromUnixTimestamp64Milli(ms + toInt64(h % 2000) + {copy:UInt8} * 60000, 'UTC'), toUUID({tenant:String}), 395,
      concat('{"plan":"', ['free', 'standard', 'enterprise'][1 + toUInt32(two * 2.99)], '","path":"/products/',
        toString(toUInt32(exp(three * log(500)))), '","amount":', toString(h % 10000), ',"currency":"EUR","experiment":"checkout-',
        toString(h % 7), '","platform":"', ['ios', 'android', 'web'][1 + h % 3], '","session":"', hex(sipHash64(h, 9)), '"}'),
      concat('{"library":{"name":"analytics-node","version":"2.1.', toString(h % 5), '"},"locale":"de-DE"}'),
      fromUnixTimestamp64Micro(toInt64({from_ms:Int64} + {piece_ms:Int64} + {copy:UInt8} * 60000) * 1000, 'UTC')
    from numbers({events:UInt64})
    where {copy:UInt8} = 0 or number % 100 = 0`;

/** What it is told. */
export function piecesOf({
  tenantId,
  events,
  beginMs,
  endMs,
  place,
  pieces,
  copy,
}: MadeRows): Record<string, string> {
  const pieceMs = Math.floor((endMs - beginMs) / pieces);
  return {
    tenant: tenantId,
    place: String(place),
    from_ms: String(beginMs + place * pieceMs),
    piece_ms: String(pieceMs),
    copy: String(copy),
    // One in 21 is of another tenant.
    events: String(Math.round((events / pieces) * 1.05)),
  };
}
