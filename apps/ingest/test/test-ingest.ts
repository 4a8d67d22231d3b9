import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '@holdfast/config';
import { fingerprintOf, signKeyList, type WriteKeySigner } from '@holdfast/ingest';
import { newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { TestClickHouse } from '@holdfast/testing';
import { newSigner } from '../../../libs/platform/ingest/test/new-signer';
import { type RunningIngest, startIngest } from '../src/ingest';

/** A row of the table of tracked events, as far as specs ask. */
export interface StoredRow {
  readonly kind: string;
  readonly name: string;
  readonly message_id: string;
  readonly user_id: string;
  readonly anonymous_id: string;
  readonly group_id: string;
  readonly properties: string;
  readonly context: string;
}

const COLUMNS = 'kind, name, message_id, user_id, anonymous_id, group_id, properties, context';
/** Rows are flushed by time; a machine that is busy takes longer. */
const STORED_WITHIN_MS = 20_000;
/** Nobody answers there: the API is away. */
const NOWHERE = 'http://127.0.0.1:9';

/** What a spec wants otherwise. */
export interface TestIngestOptions {
  readonly requestTimeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** An ingest over a ClickHouse of the spec's own, and the key of a tenant. */
export class TestIngest {
  readonly tenantId = newId();
  readonly writeKey: string;
  /** Of another tenant, whose plan is the smallest. */
  readonly smallKey: string;

  private constructor(
    private readonly running: RunningIngest,
    private readonly clickhouse: { readonly server: TestClickHouse; readonly url: string },
    private readonly directory: string,
    signer: WriteKeySigner,
    smallTenantId: string,
  ) {
    this.smallKey = signer.write({ keyId: newId(), tenantId: smallTenantId });
    this.writeKey = signer.write({ keyId: newId(), tenantId: this.tenantId });
  }

  static async start({ requestTimeoutMs, environment = {} }: TestIngestOptions = {}): Promise<TestIngest> {
    const clickhouse = await TestClickHouse.open('front');
    if (!('url' in clickhouse.endpoint)) throw new Error('The front has no address.');
    const signer = newSigner();
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-ingest-'));
    const smallTenantId = newId();
    const plans = { free: [fingerprintOf(smallTenantId)] };
    const nobody = { revoked: [], suspended: [], erased: [], drills: [] };
    const list = signKeyList(signer, { asOfMs: Date.now(), ...nobody, plans });
    writeFileSync(join(directory, 'key-list.json'), JSON.stringify(list));
    const config = readConfig('ingest', {
      HOLDFAST_HOST: '127.0.0.1',
      HOLDFAST_INGEST_PORT: '0',
      HOLDFAST_API_URL: NOWHERE,
      CLICKHOUSE_URL: clickhouse.endpoint.url,
      INGEST_DIRECTORY: directory,
      WRITE_KEY_PUBLIC: signer.publicKey,
      ...environment,
    });
    const logger = createLogger({ app: 'ingest', level: 'fatal' });
    const running = await startIngest(config, logger, requestTimeoutMs);
    return new TestIngest(
      running,
      { server: clickhouse, url: config.clickhouseUrl },
      directory,
      signer,
      smallTenantId,
    );
  }

  get url(): string {
    return this.running.url;
  }

  /** Posts a body, under the tenant's key as SDKs of Segment send it. */
  async post(
    path: string,
    body: string | Uint8Array<ArrayBuffer> | object,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
    const answer = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${this.writeKey}:`).toString('base64')}`, ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
    return {
      status: answer.status,
      body: (await answer.json()) as Record<string, unknown>,
      headers: answer.headers,
    };
  }

  /** The tenant's rows, by name, once there are as many. */
  async stored(rows: number, tenantId = this.tenantId): Promise<StoredRow[]> {
    const until = Date.now() + STORED_WITHIN_MS;
    for (;;) {
      const found = await this.query<StoredRow>(
        `select ${COLUMNS} from telemetry.tracked final where tenant_id = '${tenantId}' order by name, message_id`,
      );
      if (found.length >= rows || Date.now() > until) return found;
      await sleep(100);
    }
  }

  /** Asks ClickHouse. A table that is not there yet, since nothing was stored, has no rows. */
  private async query<Row>(statement: string): Promise<Row[]> {
    const { origin, username, password } = new URL(this.clickhouse.url);
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const body = `${statement} format JSONEachRow`;
    const answer = await fetch(`${origin}/`, { method: 'POST', headers: { authorization }, body });
    const text = await answer.text();
    if (!answer.ok) {
      if (/UNKNOWN_(TABLE|DATABASE)/.test(text)) return [];
      throw new Error(text);
    }
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Row);
  }

  async close(): Promise<void> {
    await this.running.stop();
    await this.clickhouse.server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
