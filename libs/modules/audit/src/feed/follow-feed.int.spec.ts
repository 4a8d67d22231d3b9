import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { createHttpApplication, graphqlModule, requestOf } from '@holdfast/http';
import { createLogger, Health } from '@holdfast/observability';
import { TestDatabase } from '@holdfast/testing';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { announce } from '../../test/announced';
import { TestSealer } from '../../test/test-sealer';
import { AuditModule } from '../audit.module';

const SCRIPT = join(__dirname, '../../follow-feed.sh');
const EVENTS = 5_000;

describe('follow-feed.sh', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;
  let caller: Caller;
  let directory: string;
  let feedUrl: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    caller = await database.caller();
    await announce(database, EVENTS, caller.tenantId);
    const sealer = await TestSealer.create(database);
    await sealer.seal();
    await sealer.close();
    const guard: CanActivate = {
      canActivate: (context: ExecutionContext) => {
        const request = requestOf(context);
        if (request.headers.authorization !== 'Bearer the-key') return false;
        request.caller = caller;
        return true;
      },
    };
    const module = {
      module: AuditModule,
      imports: [MessagesModule.forRoot(database.tenants()), graphqlModule({ graphiql: false })],
      providers: [{ provide: APP_GUARD, useValue: guard }],
    };
    const logger = createLogger({ app: 'test', level: 'silent' });
    app = await createHttpApplication(module, { logger, health: new Health(), version: '0' });
    await app.listen(0, '127.0.0.1');
    feedUrl = `${await app.getUrl()}/v1/audit/feed`;
    directory = mkdtempSync(join(tmpdir(), 'holdfast-feed-'));
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs it in a process group of its own; answers how it ended. */
  async function run(file: string, killAfterMs?: number): Promise<number | string> {
    const env = { PATH: process.env['PATH'], FEED: feedUrl, KEY: 'the-key', ONCE: '1' };
    const child = spawn('sh', [SCRIPT, file], { env, detached: true, stdio: 'ignore' });
    const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
    if (killAfterMs !== undefined && child.pid !== undefined) {
      await Promise.race([sleep(killAfterMs), ended]);
      if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    }
    const [code, signal] = await ended;
    return code ?? signal ?? '';
  }

  it('has each leaf once in its file, in order, however often it was killed', async () => {
    const file = join(directory, 'audit.ndjson');
    let kills = 0;
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const ended = await run(file, 60 + (attempt % 7) * 40);
      if (ended === 0) break;
      kills += 1;
      // What a power cut in the middle of a page may leave.
      if (kills % 3 === 0) appendFileSync(file, '{"kind":"event","epoch":1,"ind');
    }
    expect(await run(file)).toBe(0);
    expect(kills).toBeGreaterThan(0);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const indexes = lines.map((line) => Number((JSON.parse(line) as { index: string }).index));
    expect(indexes).toEqual(Array.from({ length: EVENTS + 1 }, (_, index) => index));
  }, 120_000);
});
