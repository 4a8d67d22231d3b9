import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import {
  formatVerifierKey,
  generateSignerKey,
  parseVerifierKey,
  type SignerKey,
  type VerifierKey,
  Witness,
} from '@holdfast/tlog';

/** A witness of transparency logs on this machine, over HTTP: it cosigns what is consistent and refuses what is not. */
export class TestWitness {
  /** Answers that it gave, as method, path and status. */
  readonly answered: string[] = [];
  /** Whether it answers 500 to everything. */
  isBroken = false;

  private constructor(
    private readonly server: Server,
    private readonly witness: Witness,
    private readonly logs: Map<string, VerifierKey[]>,
    private readonly key: SignerKey,
    /** The prefix of its endpoints. */
    readonly url: string,
  ) {}

  /** Listens at a free port. It trusts no log until it is told to. */
  static async start(name = 'witness.example/w1'): Promise<TestWitness> {
    const key = generateSignerKey(name, 'cosignature/v1');
    const logs = new Map<string, VerifierKey[]>();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const witness = new TestWitness(server, new Witness(key, logs), logs, key, url);
    server.on('request', (request, response) => void witness.answer(request, response));
    return witness;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** The key that verifies its cosignatures, as configuration has it. */
  get verifierKey(): string {
    return formatVerifierKey(this.key);
  }

  /** Trusts an encoded verifier key for a log, besides those that it trusts already. */
  trust(origin: string, verifierKey: string): void {
    this.logs.set(origin, [...(this.logs.get(origin) ?? []), parseVerifierKey(verifierKey)]);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const body = await buffer(request);
    const { status, contentType, body: text } = this.answerTo(method, url, body);
    this.answered.push(`${method} ${url} ${status}`);
    response.writeHead(status, { 'content-type': contentType }).end(text);
  }

  private answerTo(
    method: string,
    url: string,
    body: Buffer,
  ): { status: number; contentType: string; body: string } {
    const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(url) ?? [];
    if (this.isBroken) return { status: 500, contentType: 'text/plain', body: 'broken\n' };
    if (method === 'POST' && url === '/add-checkpoint') return this.witness.addCheckpoint(body);
    if (method === 'GET' && originHash) return this.witness.checkpoint(originHash);
    return { status: 404, contentType: 'text/plain', body: 'no such path\n' };
  }
}
