import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { ChdbUnavailable, type ClickHouseConnection, openChdb } from './chdb';
import { ClickHouseFront } from './clickhouse-front';

describe('chDB and its front', () => {
  let directory: string;
  let connection: ClickHouseConnection;
  let front: ClickHouseFront;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-front-'));
    connection = await openChdb(join(directory, 'data'));
    front = await ClickHouseFront.start(connection);
  });
  afterAll(async () => {
    await front.close();
    await connection.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Says something to the front as curl would. */
  async function say(
    path: string,
    init: RequestInit = {},
    credentials = '',
  ): Promise<{ status: number; code: string | null; text: string }> {
    const { username, password, origin } = new URL(front.url);
    const authorization = `Basic ${Buffer.from(credentials || `${username}:${password}`).toString('base64')}`;
    const response = await fetch(`${origin}${path}`, {
      method: 'POST',
      ...init,
      headers: { authorization, ...(init.headers as Record<string, string>) },
    });
    return {
      status: response.status,
      code: response.headers.get('x-clickhouse-exception-code'),
      text: await response.text(),
    };
  }

  it('listens at the loopback address only', () => {
    expect(new URL(front.url).hostname).toBe('127.0.0.1');
  });

  it('answers a statement in the body in TabSeparated, and one with a format in that', async () => {
    expect(await say('/', { body: `select 1, 'a\\tb'` })).toEqual({
      status: 200,
      code: null,
      text: '1\ta\\tb\n',
    });
    expect((await say('/', { body: 'select 1 as n format JSONEachRow' })).text).toBe('{"n":1}\n');
  });

  it('refuses a wrong password and none', async () => {
    expect(await say('/', { body: 'select 1' }, 'holdfast:wrong')).toMatchObject({
      status: 403,
      code: '516',
    });
    expect(await say('/', { body: 'select 1', headers: { authorization: '' } })).toMatchObject({
      status: 403,
      code: '516',
    });
    expect((await say('/ping', { method: 'GET', headers: { authorization: '' } })).text).toBe('Ok.\n');
  });

  it('reports errors as ClickHouse does', async () => {
    const { status, code, text } = await say('/', { body: 'select nothing_of_the_kind' });
    expect([status, code]).toEqual([500, '47']);
    expect(text).toMatch(/^Code: 47\. DB::Exception: .+ \(UNKNOWN_IDENTIFIER\)\n$/);
    expect(await say('/elsewhere')).toMatchObject({ status: 404 });
    expect(await say(`/?database=other`, { body: 'select 1' })).toMatchObject({ status: 404, code: '81' });
  });

  it('takes rows behind a statement in the URL, plain and in gzip', async () => {
    await say('/', { body: 'create table default.words (word String) engine = MergeTree order by word' });
    const insert = `/?query=${encodeURIComponent('insert into default.words format JSONEachRow')}`;
    const row = (word: string): string => `${JSON.stringify({ word })}\n`;
    expect(await say(insert, { body: row(`it's; select 1 \\ "x"`) })).toMatchObject({ status: 200 });
    expect(
      await say(insert, { body: gzipSync(row('packed')), headers: { 'content-encoding': 'gzip' } }),
    ).toMatchObject({ status: 200 });
    expect(await say(insert, { body: 'x', headers: { 'content-encoding': 'deflate' } })).toMatchObject({
      status: 400,
      code: '48',
    });
    expect(
      (await say('/', { body: 'select word from default.words order by word format TSVRaw' })).text,
    ).toBe(`it's; select 1 \\ "x"\npacked\n`);
  });

  it('binds parameters and keeps settings to their statement', async () => {
    const setting = `select value from system.settings where name = 'insert_deduplication_token'`;
    expect(
      (await say(`/?param_n=${encodeURIComponent('a\\tb')}`, { body: 'select length({n:String})' })).text,
    ).toBe('3\n');
    expect(
      (await say(`/?param_n=${encodeURIComponent('\\N')}`, { body: 'select {n:Nullable(String)} is null' }))
        .text,
    ).toBe('1\n');
    expect((await say('/?insert_deduplication_token=once', { body: setting })).text).toBe('once\n');
    expect((await say('/', { body: setting })).text).toBe('\n');
    expect((await say('/?insert_deduplication_token=once', { body: 'select broken' })).status).toBe(500);
    expect((await say('/', { body: setting })).text).toBe('\n');
  });

  it('refuses settings that it would have to quote', async () => {
    const value = encodeURIComponent(`x\\'; drop table default.words; --`);
    expect((await say(`/?insert_deduplication_token=${value}`, { body: 'select 1' })).status).toBe(500);
    expect((await say('/?no_such_setting=1', { body: 'select 1' })).code).toBe('115');
    expect((await say('/', { body: 'select 1' })).text).toBe('1\n');
  });

  it('speaks with the client, with gzip asked for both ways', async () => {
    const client = createClient({
      url: front.url,
      compression: { request: true, response: true },
      log: { level: ClickHouseLogLevel.OFF },
    });
    expect((await client.ping()).success).toBe(true);
    await client.insert({ table: 'default.words', values: [{ word: 'client' }], format: 'JSONEachRow' });
    const answer = await client.query({
      query: 'select word from default.words where word = {word:String}',
      query_params: { word: 'client' },
      format: 'JSONEachRow',
    });
    expect(await answer.json()).toEqual([{ word: 'client' }]);
    await expect(client.query({ query: 'select nothing_of_the_kind' })).rejects.toMatchObject({ code: '47' });
    await client.close();
  });

  it('is closed when what runs is answered, whoever else is connected and asks nothing', async () => {
    const other = await ClickHouseFront.start(connection);
    const url = new URL(other.url);
    const silent = connect(Number(url.port), url.hostname);
    await once(silent, 'connect');
    const client = createClient({ url: other.url });
    const answer = client.query({ query: 'select sleep(1), 7 as seven', format: 'JSONEachRow' });
    await sleep(300);
    await other.close();
    expect(await (await answer).json()).toMatchObject([{ seven: 7 }]);
    await client.close();
    silent.destroy();
  });

  it('has one directory open at a time', async () => {
    await expect(openChdb(join(directory, 'other'))).rejects.toBeInstanceOf(ChdbUnavailable);
  });
});

// Guards promise 3 for `holdfast dev`: a killed process leaves a directory that the next one opens, with its rows.
describe('A chDB directory', () => {
  let directory: string;
  beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'holdfast-chdb-kill-'))));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('belongs to one process, and survives its kill', async () => {
    const data = join(directory, 'data');
    const program = join(directory, 'owner.cjs');
    const chdb = JSON.stringify(require.resolve('chdb/connection'));
    writeFileSync(
      program,
      `const chdb = require(${chdb}).createChdbConnection({ path: ${JSON.stringify(data)} });
       (async () => {
         await chdb.command({ query: 'create table default.kept (n UInt8) engine = MergeTree order by n settings non_replicated_deduplication_window = 10' });
         await chdb.command({ query: "insert into default.kept settings insert_deduplication_token = 'seven' values (7)" });
         process.send('ready');
         setInterval(() => {}, 1000);
       })();`,
    );
    const owner = fork(program, { stdio: 'ignore' });
    await new Promise((resolve) => owner.once('message', resolve));
    await expect(openChdb(data)).rejects.toThrow(/One process has it at a time/);
    const gone = new Promise((resolve) => owner.once('exit', resolve));
    owner.kill('SIGKILL');
    await gone;
    const connection = await openChdb(data);
    const front = await ClickHouseFront.start(connection);
    const client = createClient({ url: front.url });
    // What it remembers of tokens survives with the rows: a batch that is sent again after a crash is dropped.
    await client.insert({
      table: 'default.kept',
      values: [{ n: 8 }],
      format: 'JSONEachRow',
      clickhouse_settings: { insert_deduplication_token: 'seven' },
    });
    const answer = await client.query({ query: 'select n from default.kept', format: 'JSONEachRow' });
    expect(await answer.json()).toEqual([{ n: 7 }]);
    await client.close();
    await front.close();
    await connection.close();
  });
});
