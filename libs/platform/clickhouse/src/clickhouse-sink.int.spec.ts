import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Intake, readBody, readSegment, type TelemetryBatch } from '@holdfast/ingest';
import { newId } from '@holdfast/kernel';
import { TestClickHouse } from '@holdfast/testing';
import { ClickHouseSink } from './clickhouse-sink';
import { TelemetryStore } from './telemetry-store';

const ROWS =
  'select * except (stored_at) from telemetry.tracked where tenant_id = {tenant_id:UUID} order by message_id';
const TEXTS = ['plain', 'ünï ✓ 😀', '"quoted" \\ \\t \\N', '\\N', 'tab\t line\n return\r', "it's", '\u2028'];

/** The batch that an intake makes of what was sent: in runs. */
async function batchOf(
  holder: { keyId: string; tenantId: string },
  bodies: readonly string[],
): Promise<TelemetryBatch> {
  const directory = mkdtempSync(join(tmpdir(), 'sink-'));
  const batches: TelemetryBatch[] = [];
  const intake = new Intake({
    sinks: [
      {
        name: 'kept',
        store: async (batch) => void batches.push(batch),
        ping: async () => {},
        close: async () => {},
      },
    ],
    planOf: () => 'standard',
    directory,
    spillBytesMax: 1_000_000,
    ringBytesMax: 1_000_000,
    shed: 'ack',
    report: () => {},
  });
  intake.start();
  for (const text of bodies) {
    const { events } = readSegment(readBody(Buffer.from(text), true), 'batch', Date.now());
    intake.accept(holder, events, Date.now());
  }
  await intake.drain(5_000);
  rmSync(directory, { recursive: true, force: true });
  return batches.find(({ table }) => table === 'tracked') as TelemetryBatch;
}

describe('ClickHouse as a store of telemetry', () => {
  let clickHouse: TestClickHouse;
  let store: TelemetryStore;
  let sink: ClickHouseSink;

  beforeAll(async () => {
    clickHouse = await TestClickHouse.open('front');
    store = new TelemetryStore(clickHouse.endpoint);
    sink = new ClickHouseSink(clickHouse.endpoint);
  });
  afterAll(async () => {
    await sink.close();
    await store.close();
    await clickHouse.close();
  });

  it('stores the same of rows in columns as of rows in JSON', async () => {
    const holder = { keyId: newId(), tenantId: newId() };
    const event = { type: 'track', timestamp: new Date().toISOString() };
    const events = TEXTS.map((text, place) => ({
      ...event,
      event: text,
      userId: text,
      messageId: `m${place}`,
      properties: { text, [text]: [text] },
    }));
    const asSent = '{"big":12345678901234567890123, "a":[1.0,"\\\\ \\"x\\""]}';
    const raw = `{"batch":[{"type":"track","event":"raw","userId":"u","messageId":"z","properties":${asSent}}]}`;
    const { token, rows, runs, table } = await batchOf(holder, [JSON.stringify({ batch: events }), raw]);
    if (!runs) throw new Error('The batch has no runs.');
    await sink.store({ table, token, rows: [], runs });
    const inColumns = await store.read<{ name: string; properties: string }>(
      holder.tenantId,
      { text: ROWS },
      {},
    );
    expect(inColumns.map(({ name }) => name)).toEqual([...TEXTS, 'raw']);
    expect(inColumns.at(-1)?.properties).toBe(asSent);
    expect(inColumns.map(({ properties }) => (JSON.parse(properties) as { text?: string }).text)).toEqual([
      ...TEXTS,
      undefined,
    ]);
    await sink.store({ table, token: newId(), rows });
    const both = await store.read<object>(holder.tenantId, { text: ROWS }, {});
    expect(both).toEqual(inColumns.flatMap((row) => [row, row]));
  });

  it('knows a batch again that comes in columns and then in JSON', async () => {
    const holder = { keyId: newId(), tenantId: newId() };
    const {
      token,
      rows,
      runs = [],
      table,
    } = await batchOf(holder, [
      JSON.stringify({ batch: [{ type: 'track', event: 'E', userId: 'u', messageId: 'm' }] }),
    ]);
    await sink.store({ table, token, rows, runs });
    await sink.store({ table, token, rows });
    expect(await store.read<object>(holder.tenantId, { text: ROWS }, {})).toHaveLength(1);
  });
});
