import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Caller, newId } from '@holdfast/kernel';
import { freePort } from '@holdfast/testing';
import { eventually } from '@holdfast/testing';
import { SendingApp } from './sending-app';

const LIB = join(__dirname, '..');

/** The receiver that the README shows, run as it stands there. */
describe('The receiver in the README', () => {
  let app: SendingApp;
  let caller: Caller;
  let receiver: ChildProcess | undefined;
  let printed = '';
  beforeAll(async () => {
    app = await SendingApp.start();
    caller = await app.app.tenant();
  });
  afterAll(async () => {
    receiver?.kill('SIGKILL');
    if (receiver) await once(receiver, 'close');
    await app.close();
  });

  it('takes what is sent to it, once, and refuses what is forged', async () => {
    const port = await freePort();
    const readme = readFileSync(join(LIB, 'README.md'), 'utf8');
    const [, snippet = ''] = /```js\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(snippet).toContain('4000');
    const webhook = await app.app.webhook(caller, `http://localhost:${port}/`);
    receiver = spawn(process.execPath, ['--input-type=module', '-e', snippet.replace('4000', String(port))], {
      cwd: LIB,
      env: { ...process.env, WEBHOOK_SECRET: webhook.secret ?? '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    receiver.stdout?.on('data', (chunk) => (printed += String(chunk)));
    await eventually(() => isListening(port));
    const stream = newId();
    await app.announce(caller, [stream], app.sender());
    await eventually(async () => (await app.deliveries(caller, webhook.id))[0]?.status === 'delivered');
    expect(printed).toContain(`probe.thing.made probe.thing/${stream}`);
    const forged = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'webhook-id': 'x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,eA==' },
      body: '{}',
    });
    expect(forged.status).toBe(400);
  });

  function isListening(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('connect', () => socket.destroy());
      socket.once('error', () => resolve(false));
    });
  }
});
