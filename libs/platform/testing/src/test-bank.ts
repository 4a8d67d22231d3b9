import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the bank does to a request. `late` ones are pending until they are asked after; `delayed` takes effect after its answer is given up. */
export type BankPlan =
  | 'pays'
  | 'fails'
  | 'loses its answer'
  | 'answers twice'
  | 'pays late'
  | 'refuses late'
  | 'refuses'
  | 'is delayed'
  | 'talks nonsense';

/** Everything that a bank may do with a payment. */
export const BANK_PLANS: readonly BankPlan[] = [
  ...(['pays', 'fails', 'loses its answer', 'answers twice', 'pays late'] as const),
  ...(['refuses late', 'refuses', 'is delayed', 'talks nonsense'] as const),
];

type Status = 'pending' | 'accepted' | 'paid' | 'refused' | 'cancelled';

/** A bank on this machine that keeps the contract, however badly it keeps its connections. */
export class TestBank {
  /** How payments stand, by their keys. */
  readonly payments = new Map<string, Status>();
  /** Requests as they came. */
  readonly asked: string[] = [];
  /** How long each of them said that it is waited for, in milliseconds. */
  readonly waits: number[] = [];
  /** What becomes of payments that are asked for next; then it pays. */
  readonly plans: BankPlan[] = [];
  /** Whether it takes nothing back. */
  isStubborn = false;
  /** Whether none of its answers about payments arrives. */
  isMute = false;
  /** Whether it is mute from when it is first told to pay. */
  fallsSilent = false;
  /** How long it thinks about what `is delayed`: longer than an attempt of these tests waits. */
  delayMs = 250;
  /** Amounts that it refuses, whatever is planned. */
  readonly refusedAmounts = new Set<string>();
  /** Is told of what it has done, before it answers. */
  onDone: (() => void) | undefined;
  private readonly late = new Map<string, Status>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<TestBank> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bank = new TestBank(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => void bank.answer(request, response));
    return bank;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const [key = '', action] = (request.url ?? '').replace('/v1/payments/', '').split('/');
    this.asked.push(action ?? request.method ?? '');
    this.waits.push(Number(request.headers['x-request-timeout-ms']));
    if (action === 'pay' && this.fallsSilent) this.isMute = true;
    if (action === 'cancel') return this.cancel(key, response);
    if (request.method === 'GET') return this.isMute ? void response.destroy() : this.show(key, response);
    const plan = this.isRefused(body) ? 'refuses' : (this.plans.shift() ?? 'pays');
    if (plan === 'fails') return void response.writeHead(503).end();
    if (plan === 'talks nonsense') return void response.writeHead(200).end('<html>');
    const isRefusable =
      !this.payments.has(key) || (action === 'pay' && this.payments.get(key) === 'accepted');
    if (plan === 'refuses' && isRefusable) this.payments.set(key, 'refused');
    if (plan === 'is delayed') await sleep(this.delayMs);
    if (action === 'pay') this.pay(key, plan);
    else this.reserve(key, plan);
    if (plan === 'loses its answer' || this.isMute) return void response.destroy();
    return this.show(key, response, plan === 'answers twice');
  }

  private isRefused(body: string): boolean {
    const { amount = '' } = body === '' ? {} : (JSON.parse(body) as { readonly amount?: string });
    return this.refusedAmounts.has(amount);
  }

  /** Once for a key; whatever it has been decided to be, it stays. */
  private reserve(key: string, plan: BankPlan): void {
    if (this.payments.has(key)) return;
    const isLate = plan === 'pays late' || plan === 'refuses late';
    this.payments.set(key, isLate ? 'pending' : 'accepted');
    if (isLate) this.late.set(key, plan === 'pays late' ? 'accepted' : 'refused');
  }

  /** What is reserved; of what it leaves for later it is asked again. */
  private pay(key: string, plan: BankPlan): void {
    const isNow = plan !== 'pays late' && plan !== 'refuses late';
    if (isNow && this.payments.get(key) === 'accepted') this.payments.set(key, 'paid');
  }

  private show(key: string, response: ServerResponse, isTwice = false): void {
    this.onDone?.();
    const status = this.payments.get(key);
    const { socket } = response;
    if (status === undefined) response.writeHead(404).end();
    else if (status === 'refused') response.writeHead(422).end();
    else response.writeHead(200).end(JSON.stringify({ status, receipt: `receipt ${key}` }));
    if (isTwice) socket?.write('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"status":"refused"}');
    const decided = this.late.get(key);
    if (decided && this.late.delete(key) && this.payments.get(key) === 'pending')
      this.payments.set(key, decided);
  }

  private cancel(key: string, response: ServerResponse): void {
    const stands = this.payments.get(key);
    const isKept = stands === 'paid' || (this.isStubborn && stands === 'accepted');
    if (!isKept && stands !== 'refused') this.payments.set(key, 'cancelled');
    const status = isKept ? stands : 'cancelled';
    this.onDone?.();
    response.writeHead(200).end(JSON.stringify({ status }));
  }
}
