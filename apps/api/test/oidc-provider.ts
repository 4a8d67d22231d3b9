import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';

/** A real OpenID Connect provider on this machine. */
export class OidcProvider {
  private process: ChildProcess | undefined;

  private constructor(private readonly port: number) {}

  static async start(): Promise<OidcProvider> {
    const provider = new OidcProvider(await freePort());
    await provider.restart();
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends it and starts it again, with another key. */
  async restart(): Promise<void> {
    await this.stop();
    const script = path.join(__dirname, 'oidc-provider.mjs');
    const environment = { ...process.env, OIDC_PORT: String(this.port) };
    // Its warnings are about running it in production.
    const started = spawn(process.execPath, [script], {
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.process = started;
    await once(started.stdout, 'data');
  }

  async stop(): Promise<void> {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill();
    await ended;
  }

  /** An access token of one of its clients, `anna` or `bert`. */
  async token(client: string): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:secret-of-the-client`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'api' }),
    });
    const answer = (await response.json()) as { readonly access_token?: string };
    if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
    return answer.access_token;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
