import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@holdfast/embedded';
import { type KeyListContents, signKeyList, WriteKeySigner } from '@holdfast/ingest';
import { newId } from '@holdfast/kernel';
import { built } from '@holdfast/testing';
import type { EventLoad, LoadOutcome } from '../../../libs/platform/ingest/test/event-load';
import { EventSender } from '../../../libs/platform/ingest/test/event-sender';
import { IngestProcess } from './ingest-process';
import { TestStore } from './test-store';

/** A tenant that sends. */
export interface Sending {
  readonly tenantId: string;
  readonly keyId: string;
  readonly writeKey: string;
}

/** A minute in a long run, and what shows the same in a short one. */
export const OUTAGE_MS = process.env['HOLDFAST_TEST_LONG'] ? 60_000 : 3_000;

/** A load that two cores carry beside everything else that the tests of a machine do. */
const USUAL = { connections: 8, events: 10, perSecond: 100, warmUpSeconds: 0, journal: true } as const;

/** Ingest, its store and its senders, each a process of its own, as they run in production. */
export class Scene {
  private readonly senders: EventSender[] = [];
  private current: IngestProcess | undefined;
  private beside: IngestProcess | undefined;
  private runs = 0;
  private readonly signer: WriteKeySigner;

  private constructor(
    private readonly build: string,
    readonly directory: string,
    readonly store: TestStore,
    private readonly ports: { readonly ingest: number; readonly metrics: number; readonly api: number },
    /** PKCS #8 in base64, as the API gets it. */
    readonly privateKey: string,
  ) {
    this.signer = new WriteKeySigner(privateKey);
  }

  /** Starts the store; ingest is started by the test. */
  static async open(): Promise<Scene> {
    const build = built();
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
    mkdirSync(join(directory, 'ingest'));
    const store = await TestStore.start(
      join(build, 'apps/ingest/test/store-process.js'),
      join(directory, 'store'),
      await freePort(),
    );
    const ports = { ingest: await freePort(), metrics: await freePort(), api: await freePort() };
    const { privateKey } = generateKeyPairSync('ed25519');
    const text = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    return new Scene(build, directory, store, ports, text);
  }

  get ingest(): IngestProcess {
    if (!this.current) throw new Error('ingest was not started');
    return this.current;
  }

  /** Where ingest looks for the API. */
  get apiUrl(): string {
    return `http://127.0.0.1:${this.ports.api}`;
  }

  /** Where ingest keeps what has to outlast it. */
  get ingestDirectory(): string {
    return join(this.directory, 'ingest');
  }

  /** Starts ingest on the directory of the one before. Unless a test starts one, no API answers. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<IngestProcess> {
    this.current = await this.startOn(this.ports.ingest, this.ports.metrics, environment);
    return this.current;
  }

  /** Starts another one, once, with a directory of its own. */
  async startBeside(): Promise<IngestProcess> {
    const INGEST_DIRECTORY = join(this.directory, 'beside');
    mkdirSync(INGEST_DIRECTORY);
    this.beside = await this.startOn(await freePort(), await freePort(), { INGEST_DIRECTORY });
    return this.beside;
  }

  private startOn(
    port: number,
    metricsPort: number,
    environment: Readonly<Record<string, string>>,
  ): Promise<IngestProcess> {
    return IngestProcess.start({
      program: join(this.build, 'apps/ingest/src/main.js'),
      port,
      metricsPort,
      environment: {
        WRITE_KEY_PUBLIC: this.signer.publicKey,
        HOLDFAST_API_URL: this.apiUrl,
        CLICKHOUSE_URL: this.store.url,
        INGEST_DIRECTORY: this.ingestDirectory,
        ...environment,
      },
    });
  }

  tenant(): Sending {
    const [keyId, tenantId] = [newId(), newId()];
    return { keyId, tenantId, writeKey: this.signer.write({ keyId, tenantId }) };
  }

  /** Leaves a key list on disk, as an ingest that has seen the API leaves it. */
  leaveKeyList(contents: Partial<KeyListContents>): void {
    const list = signKeyList(this.signer, {
      asOfMs: Date.now(),
      revoked: [],
      suspended: [],
      erased: [],
      plans: {},
      drills: [],
      ...contents,
    });
    writeFileSync(join(this.ingestDirectory, 'key-list.json'), JSON.stringify(list));
  }

  /** Begins a load of the tenants, under a name of its own. */
  send(tenants: readonly Sending[], load: Partial<EventLoad> & { readonly seconds: number }): Sent {
    const sender = new EventSender(join(this.build, 'libs/platform/ingest/test/event-load-process.js'));
    this.senders.push(sender);
    this.runs += 1;
    const run = `run-${this.runs}-${newId().slice(-6)}`;
    const writeKeys = tenants.map(({ writeKey }) => writeKey);
    const outcome = sender.send({ ...USUAL, port: this.ports.ingest, writeKeys, run, ...load });
    outcome.catch(() => {}); // Whoever awaits it hears of it.
    return { run, outcome, stop: () => sender.stop() };
  }

  /** Ends ingest as an operator does. */
  async endIngest(): Promise<void> {
    this.current?.signal('SIGTERM');
    await this.current?.gone;
  }

  async close(): Promise<void> {
    for (const sender of this.senders) sender.close();
    for (const ingest of [this.current, this.beside]) {
      if (ingest?.isGone === false) ingest.signal('SIGKILL');
      await ingest?.gone;
    }
    await this.store.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A load under way. */
export interface Sent {
  readonly run: string;
  readonly outcome: Promise<LoadOutcome>;
  /** Ends it before its time. */
  readonly stop: () => void;
}

/** The answers of a load in a line, for people: latency is told, and not asserted. */
export function outcomeText({ statuses, p50Ms, p99Ms, maxMs }: LoadOutcome): string {
  return `${JSON.stringify(statuses)}, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, at most ${Math.round(maxMs)} ms`;
}

/** Prints figures, which nobody asserts. */
export function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** The status of an event that is sent by itself. */
export async function statusOfEvent(port: number, writeKey: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/track`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Basic ${btoa(`${writeKey}:`)}` },
    body: JSON.stringify({ event: 'tried', userId: 'tester' }),
  });
  await answer.arrayBuffer();
  return answer.status;
}
