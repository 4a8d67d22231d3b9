import type { Caller } from '@holdfast/kernel';
import { createLogger, loggerFor } from './logger';
import { NestLogger } from './nest-logger';

const apiKey = `hf_live_${'a1B2'.repeat(9)}`;
const mac = '0123456789aZ/bQx'.repeat(4);
const grant = `${mac}0002018f2d3c-0000-7000-8000-00000000000000030423a9e6e35bapi_key:x|*|||standard`;
const jwt = ['{"alg":"ES256"}', '{"sub":"anna"}', 'signature']
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.');

function recorded(level = 'info'): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  return {
    lines,
    logger: createLogger({ app: 'api', level, destination: { write: (line) => lines.push(line) } }),
  };
}

describe('A log line', () => {
  test('is one JSON object with time, level, app and message', () => {
    const { lines, logger } = recorded();
    logger.info({ status: 201 }, 'Answered.');
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      app: 'api',
      status: 201,
      msg: 'Answered.',
    });
  });

  test('says for whom, by whom and in which request and trace', () => {
    const { lines, logger } = recorded();
    const caller: Caller = {
      grant,
      tenantId: 't',
      actor: 'api_key:k',
      scopes: [],
      plan: 'standard',
      requestId: 'r',
      traceparent: `00-${'4b'.repeat(16)}-${'00f0'.repeat(4)}-01`,
    };
    loggerFor(logger, caller).info('Hello.');
    expect(JSON.parse(lines[0]!)).toMatchObject({
      tenantId: 't',
      actor: 'api_key:k',
      requestId: 'r',
      traceId: '4b'.repeat(16),
    });
    expect(lines[0]).not.toContain(mac);
  });

  test('gives no credential away, wherever it stands', () => {
    const { lines, logger } = recorded();
    logger.info(
      { headers: { authorization: 'Basic abc' }, key: 'plain', context: `seen ${apiKey}` },
      `Bearer ${apiKey}`,
    );
    logger.error(
      { err: new Error(`grant ${grant} refused at postgresql://app:hunter2@db/holdfast`) },
      'Failed.',
    );
    logger.info({ err: { stack: `redis://:hunter2@r` } }, `hfw_${'x'.repeat(40)}`);
    logger.info(`token ${jwt}.`);
    expect(lines).toHaveLength(4);
    expect(lines.join('')).not.toMatch(new RegExp(`${apiKey}|${mac}|hunter2|Basic abc|plain|xxxxx|eyJ`));
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });
});

describe('NestLogger', () => {
  test('keeps the context, and the stack of an error', () => {
    const { lines, logger } = recorded('debug');
    const nest = new NestLogger(logger);
    nest.log('Mapped.', 'Router');
    nest.error('Broken.', 'Error: at x', 'Exceptions');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'debug', msg: 'Mapped.', context: 'Router' },
      { level: 'error', msg: 'Broken.', context: 'Exceptions', err: { stack: 'Error: at x' } },
    ]);
  });
});
