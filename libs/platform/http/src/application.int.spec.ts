import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger, Health } from '@holdfast/observability';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Field, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { closeHttpApplication, createHttpApplication } from './application';
import { graphqlModule } from './graphql';

const UNFINISHED =
  'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{';

@ObjectType()
class Nothing {
  @Field()
  here!: boolean;
}

@Resolver(() => Nothing)
class NothingResolver {
  @Query(() => Nothing)
  nothing(): Nothing {
    return { here: true };
  }
}

@Module({})
class EmptyModule {}

describe('the HTTP application', () => {
  let app: NestFastifyApplication;
  let port: number;

  beforeEach(async () => {
    const module = {
      module: EmptyModule,
      imports: [graphqlModule({ graphiql: false })],
      providers: [NothingResolver],
    };
    const logger = createLogger({ app: 'test', level: 'silent' });
    app = await createHttpApplication(module, { logger, health: new Health(), version: 'test' });
    await app.listen(0, '127.0.0.1');
    port = Number(new URL(await app.getUrl()).port);
  });
  afterEach(() => app.close());

  const heard = (request: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket: Socket = connect(port, '127.0.0.1', () => socket.write(request));
      socket.on('data', (chunk) => (answer += String(chunk)));
      socket.on('close', () => resolve(answer));
      socket.on('error', () => resolve(answer));
    });

  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'request.malformed'],
    [
      'too many headers',
      `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      431,
      'request.headers_too_large',
    ],
  ])('answers %s in the form of every other error', async (_what, request, status, code) => {
    const answer = await heard(request);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain(`"code":"${code}"`);
  });

  it('ends a request that is not finished in time', async () => {
    const answer = await heard(UNFINISHED);
    expect(answer).toContain('"code":"request.timeout"');
  });

  it('does not wait for ever for a request that stays unfinished when it closes', async () => {
    const unfinished = heard(UNFINISHED);
    await sleep(100);
    await closeHttpApplication(app);
    expect(await unfinished).toBe('');
  });
});
