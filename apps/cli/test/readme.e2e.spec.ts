import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import type { DevFile } from '../src/dev/dev-file';
import { DevProcess, freshCheckout, removeCheckout } from './dev-process';
import { Shell } from './shell';

const readme = readFileSync(join(__dirname, '../../../README.md'), 'utf8');
/** Blocks that say `sh run` are pasted here one after the other, as a reader would. */
const blocks = [...readme.matchAll(/^```sh run\n([^]*?)^```$/gm)].map(([, text = '']) => text);
/** The rest of the shell: installs and starts, which the reader of this line has done. */
const others = [...readme.matchAll(/^```(?:sh|bash|shell)\n([^]*?)^```$/gm)].map(([, text = '']) => text);

const unknownId = '01890000-0000-7000-8000-000000000000';

interface Listed {
  readonly data: readonly {
    readonly id: string;
    readonly type: string;
    readonly stream: { readonly id: string };
  }[];
}
interface GraphqlAnswer {
  readonly data: Record<
    string,
    { id: string; status: string; edges: { node: Listed['data'][number] }[] }
  > | null;
  readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
}

describe('A shell', () => {
  test('notices a command that fails, wherever in a block it stands', async () => {
    const shell = new Shell('.');
    expect((await shell.run('kept=1')).failed).toBe(false);
    for (const text of ['false\ntrue', 'false | cat', 'x=$(cat nowhere | cat)\necho done']) {
      expect([text, (await shell.run(text)).failed]).toEqual([text, true]);
    }
    expect(await shell.run('echo "$kept"; echo aside >&2')).toEqual({
      failed: false,
      stdout: '1\n',
      stderr: 'aside\n',
    });
    await shell.close();
  });
});

describe('The README', () => {
  const checkout = freshCheckout();
  const dev = new DevProcess(checkout);
  const shell = new Shell(checkout);
  const pasted: string[] = [];
  let running: DevFile;
  let cash = '';
  let first = { transfer: '', answeredAtMs: 0 };
  let second = { transfer: '', answeredAtMs: 0 };

  beforeAll(async () => {
    running = await dev.ready();
  });
  afterAll(async () => {
    await shell.close();
    await dev.signal('SIGINT');
    removeCheckout(checkout);
  });

  /** Pastes the next block; it has to hold the text, so that a block that moves is not taken for another. */
  async function paste(text: string): Promise<{ stdout: string; stderr: string }> {
    const block = blocks[pasted.length] ?? 'no further block';
    expect(block).toContain(text);
    pasted.push(block);
    const { failed, ...output } = await shell.run(block);
    expect({ failed, ...output }).toMatchObject({ failed: false });
    return output;
  }

  /** Pastes the next block over and over until its output names the transfer; answers how long after its answer that was. */
  async function pasteUntil(text: string, { transfer, answeredAtMs }: typeof first): Promise<number> {
    let output = await paste(text);
    while (!output.stdout.includes(transfer) && Date.now() - answeredAtMs < 10_000) {
      await sleep(50);
      pasted.pop();
      output = await paste(text);
    }
    expect(output.stdout).toContain(transfer);
    return Date.now() - answeredAtMs;
  }

  async function asGlobex(path: string, body?: object): Promise<{ status: number; text: string }> {
    const headers = {
      authorization: `Bearer ${running.tenants[1]!.adminKey}`,
      'content-type': 'application/json',
    };
    const post = body && { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${running.api}${path}`, { headers, ...post });
    return { status: answer.status, text: await answer.text() };
  }

  /** An answer without what differs from request to request. */
  const withoutRequest = (text: string, id: string): string =>
    text.replaceAll(id, 'ID').replace(/"requestId":"[^"]+"/, '');

  test('finds the address and the keys', async () => {
    await paste('dev.json');
    const { stdout } = await shell.run('echo "$api $acme $globex"');
    const [acme, globex] = running.tenants.map(({ adminKey }) => `authorization: Bearer ${adminKey}`);
    expect(stdout).toBe(`${running.api} ${acme} ${globex}\n`);
  });

  test('posts a transfer: 201', async () => {
    const { stderr } = await paste('/v1/ledger/transfers');
    first = { transfer: (await shell.run('echo "$transfer"')).stdout.trim(), answeredAtMs: Date.now() };
    cash = (await shell.run('echo "$cash"')).stdout.trim();
    expect(stderr).toBe('201\n');
    expect(first.transfer).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('sees it in the audit trail within 1 s, and in telemetry within 3 s', async () => {
    expect(await pasteUntil('/v1/audit/events', first)).toBeLessThan(1_000);
    expect(await pasteUntil('/v1/telemetry/events', first)).toBeLessThan(3_000);
  });

  test('does not show it to the other tenant', async () => {
    const { stdout } = await paste('$globex');
    expect(stdout).toBe('404\n404\n{"data":[],"nextCursor":null}\n');
    for (const [path, id] of [
      ['accounts', cash],
      ['transfers', first.transfer],
    ] as const) {
      const foreign = await asGlobex(`/v1/ledger/${path}/${id}`);
      const unknown = await asGlobex(`/v1/ledger/${path}/${unknownId}`);
      expect(withoutRequest(foreign.text, id)).toBe(withoutRequest(unknown.text, unknownId));
    }
    for (const path of ['/v1/audit/events?limit=200', '/v1/telemetry/events?limit=200']) {
      const { status, text } = await asGlobex(path);
      expect(status).toBe(200);
      expect((JSON.parse(text) as Listed).data.length).toBeGreaterThan(100);
      expect(text).not.toContain(first.transfer);
    }
  });

  test('does the same over GraphQL', async () => {
    const { stdout } = await paste('postTransfer');
    const { data } = JSON.parse(stdout) as GraphqlAnswer;
    expect(data?.['postTransfer']?.status).toBe('posted');
    second = { transfer: data?.['postTransfer']?.id ?? '', answeredAtMs: Date.now() };
    expect(await pasteUntil('auditEvents', second)).toBeLessThan(1_000);
    expect(await pasteUntil('telemetryEvents', second)).toBeLessThan(3_000);
  });

  test('shows it in the stream of events', async () => {
    expect(await pasteUntil('/v1/events/stream', second)).toBeLessThan(5_000);
  });

  test('pays the other tenant, and shows each side its half', async () => {
    await paste('/v1/payments');
    const payment = (await shell.run('echo "$payment"')).stdout.trim();
    const isOver = '"state":"completed","step":null';
    await pasteUntil('/v1/sagas', { transfer: isOver, answeredAtMs: Date.now() });
    const halves = await Promise.all(
      running.tenants.map(({ adminKey }) =>
        fetch(`${running.api}/v1/payments/${payment}`, { headers: { authorization: `Bearer ${adminKey}` } }),
      ),
    );
    expect(await Promise.all(halves.map((half) => half.json()))).toMatchObject([
      { direction: 'outgoing', status: 'completed', fromAccountId: cash },
      { direction: 'incoming', status: 'completed', fromAccountId: null },
    ]);
  });

  test('proves the transfer by a file that is verified without us', async () => {
    const { stdout } = await paste('holdfast-verify.mjs');
    expect(stdout).toMatch(/^Intact\.\n/);
    const event = (await shell.run('echo "$event"')).stdout.trim();
    expect(stdout).toContain(`eventId: ${event}\n`);
    expect(stdout).toContain('type: ledger.transfer.posted\n');
  });

  test('does not show it to the other tenant over GraphQL', async () => {
    for (const query of [
      `{ transfer(id: "${second.transfer}") { id } }`,
      `{ account(id: "${cash}") { id } }`,
    ]) {
      const answer = await asGlobex('/graphql', { query });
      const { data, errors } = JSON.parse(answer.text) as GraphqlAnswer;
      const problem = JSON.parse((await asGlobex(`/v1/ledger/transfers/${unknownId}`)).text) as {
        code: string;
      };
      expect([data, errors?.[0]?.extensions.code.split('.')[1]]).toEqual([null, problem.code.split('.')[1]]);
    }
    for (const list of ['auditEvents', 'telemetryEvents']) {
      const { text } = await asGlobex('/graphql', {
        query: `{ ${list}(first: 200) { edges { node { stream { id } } } } }`,
      });
      expect((JSON.parse(text) as GraphqlAnswer).data?.[list]?.edges.length).toBeGreaterThan(100);
      expect(text).not.toContain(second.transfer);
    }
  });

  test('gives the same answer to a repetition, and moves nothing', async () => {
    const versionOf = async (): Promise<string> =>
      (await shell.run('curl -sS "$api/v1/ledger/accounts/$cash" -H "$acme"')).stdout;
    const before = await versionOf();
    await shell.run(blocks[1] ?? '');
    expect((await shell.run('echo "$transfer"')).stdout.trim()).toBe(first.transfer);
    expect(await versionOf()).toBe(before);
  });

  test('takes telemetry, and shows it', async () => {
    expect((await paste('/v1/track')).stdout).toContain('"success":true');
    await pasteUntil('Order%20Placed', { transfer: '"total":42', answeredAtMs: Date.now() });
  });

  test('tracks in a page as it says', async () => {
    const [, snippet = ''] = /```js\n(function track[^]*?)```/.exec(readme) ?? [];
    const sent: { url: string; text: string }[] = [];
    const navigator = { sendBeacon: (url: string, text: string) => void sent.push({ url, text }) };
    runInNewContext(`${snippet}\ntrack('Page Left', { after: 3 });`, {
      navigator,
      localStorage: {},
      crypto,
    });
    const [beacon] = sent;
    const at = beacon!.url.replace('http://127.0.0.1:8081', running.ingest);
    const body = beacon!.text.replace('hfw_…', running.tenants[0]!.writeKey!);
    expect((await fetch(at, { method: 'POST', body })).status).toBe(200);
  });

  test('shows the table that a start ends with', async () => {
    const shown = /^```\n(Holdfast runs\.\n[^]*?)^```$/m.exec(readme)?.[1] ?? '';
    const { stdout } = await dev.signal('SIGINT');
    const labelOf = (line: string): string => line.split(/ {2,}/)[0] ?? '';
    const printed = stdout.split('\n').map(labelOf);
    const labels = shown.split('\n').map(labelOf).filter(Boolean);
    expect(labels.length).toBeGreaterThan(8);
    for (const label of labels) expect(printed).toContain(label);
  });

  test('has no command that is not run here, but the two that install', () => {
    expect(pasted).toEqual(blocks);
    expect(others.map((text) => text.replaceAll(/ +#.*$/gm, ''))).toEqual([
      'npm ci && npm start\nnpm ci && npm test\n',
    ]);
  });
});
