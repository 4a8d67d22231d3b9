import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { Sequencer } from '@holdfast/events';
import { announcement, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { LogChanged } from '../delivery.errors';
import { serverSentEvents } from './server-sent-events';
import { readSnapshot } from './snapshot';
import { decodePosition, encodePosition } from './tail-cursor';
import { tailInput } from './tail-filter';
import type { TailItem, TailStream } from './tail-stream';
import { TailStreams } from './tail-streams';
import { TickWatch } from './tick-watch';

const grown = eventType('test.hedge.trimmed', {
  version: 1,
  description: 'A hedge was trimmed.',
  schema: z.object({ leaves: z.string() }),
  example: { leaves: '' },
});

describe('Streams of a process', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let sequencer: Sequencer;
  let watch: TickWatch;
  let streams: TailStreams;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(4);
    const relay = database.as('holdfast_relay', 2);
    sequencer = new Sequencer({
      relay,
      onTick: () => {},
      report: (error, doing) => process.stderr.write(`${doing}: ${String(error)}\n`),
    });
    sequencer.start();
    watch = new TickWatch(tenants);
    streams = new TailStreams(tenants, watch);
    caller = await database.caller();
    await announce(3, 'x');
    await open({}).then((stream) => stream.end());
  });
  afterAll(async () => {
    streams.onModuleDestroy();
    await watch.onModuleDestroy();
    await sequencer.stop();
    await database.drop();
  });

  const announce = async (count: number, leaves: string): Promise<string[]> => {
    const events = Array.from({ length: count }, () =>
      announcement(grown, { id: newId(), version: 1n }, { leaves }),
    );
    await tenants.transaction(caller, (tx) => tx.announce(...events));
    return events.map(({ id }) => id);
  };
  const open = (input: object): Promise<TailStream> =>
    streams.start({ caller, readmit: () => Promise.resolve(caller) }, tailInput.parse(input));
  const cursorNow = async (): Promise<string> => {
    const stream = await open({});
    const { value } = await stream.items().next();
    stream.end();
    return (value as TailItem).cursor;
  };

  it('refuse a cursor of a log that has not come so far, or of another database', async () => {
    const position = decodePosition(caller, await cursorNow());
    const ahead = { ...position, from: readSnapshot('900000:900000:') };
    await expect(open({ after: encodePosition(caller, ahead) })).rejects.toThrow(LogChanged);
    const other = { ...position, lineage: position.lineage + 1n };
    await expect(open({ after: encodePosition(caller, other) })).rejects.toThrow(LogChanged);
    (await open({ after: encodePosition(caller, position) })).end();
  });

  it('end when the log goes on in another database', async () => {
    const stream = await open({});
    const items = stream.items();
    await items.next();
    await database.admin(
      `insert into events.lineage (epoch, system_identifier, timeline, server_started_at, adopted_by, reason)
       select epoch + 1, system_identifier, timeline, server_started_at, 'operator:test', 'a test'
       from events.lineage order by id desc limit 1`,
    );
    await announce(1, 'y');
    expect(await items.next()).toMatchObject({ done: true });
    expect(stream.failure).toBeInstanceOf(LogChanged);
  });

  it('hold a page for a client that does not read, and cut it in the end', async () => {
    const leaves = 'l'.repeat(10_000);
    for (let batch = 0; batch < 10; batch += 1) await announce(100, leaves);
    const stream = await open({ from: 'beginning' });
    const closing: (() => void)[] = [];
    const reply = {
      request: { url: '/', id: 'r' },
      raw: { once: (_: string, on: () => void) => closing.push(on) },
    };
    const readable = serverSentEvents(stream, reply as unknown as FastifyReply, {
      slowMaxMs: 1_000,
      lookMs: 100,
    });
    readable.on('error', () => {});
    // It reads a little, and then nothing.
    let text = '';
    readable.on('data', (chunk) => (text += String(chunk)));
    while (text.length < 50_000) await sleep(10);
    readable.pause();
    await sleep(600);
    // Ten megabytes are there; a page of them has been read, and of that one event is on its way.
    expect(readable.readableLength).toBeLessThan(20_000);
    expect(stream.signal.aborted).toBe(false);
    await sleep(2_500);
    expect(stream.failure?.code).toBe('events.reader_too_slow');
    expect(readable.destroyed).toBe(true);
  });

  it('serve others meanwhile, and many at a time', async () => {
    const all = await Promise.all(Array.from({ length: 15 }, () => open({})));
    const readers = all.map(async (stream) => {
      const ids: string[] = [];
      for await (const { event } of stream.items()) {
        if (event) ids.push(event.id);
        if (ids.length === 50) break;
      }
      return ids;
    });
    await sleep(100);
    const sent = await announce(50, 'z');
    for (const ids of await Promise.all(readers)) expect(ids).toEqual(sent);
  });
});
