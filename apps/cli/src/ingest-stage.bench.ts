import { fork } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TelemetryStore } from '@holdfast/clickhouse';
import { freePort } from '@holdfast/embedded';
import { WriteKeySigner } from '@holdfast/ingest';
import { newId } from '@holdfast/kernel';
import { EventSender } from '../../../libs/platform/ingest/test/event-sender';
import { IngestProcess } from '../../ingest/test/ingest-process';
import type { BenchSystem } from './bench-system';

/** The processes of a bench of ingest: its peer, who sends to both, and ingest itself over one store or another. */
export interface IngestStage {
  /** Starts ingest over the store at a URL; it is to be stopped before the next. */
  readonly startIngest: (clickhouseUrl: string) => Promise<StagedIngest>;
  /** Of a store that discards what it takes. */
  readonly discardingUrl: string;
  readonly peerPort: number;
  /** CPU that the peer has used, in seconds of a core. */
  readonly peerCpuSeconds: () => Promise<number>;
  readonly sender: EventSender;
  /** One of each tenant. */
  readonly writeKeys: readonly string[];
  close(): void;
}

/** An ingest of the stage. */
export interface StagedIngest {
  readonly ingest: IngestProcess;
  readonly stop: () => Promise<void>;
}

/** Starts them, and prepares the bench's ClickHouse. */
export async function openStage({ clickhouseUrl }: BenchSystem, tenants: number): Promise<IngestStage> {
  const store = new TelemetryStore({ url: clickhouseUrl });
  await store.migrate();
  await store.close();
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer = new WriteKeySigner(privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'));
  const peer = fork(join(__dirname, 'ingest-bench-peer.js'), { execArgv: [] });
  const [peerPort] = (await once(peer, 'message')) as [number];
  const discarding = fork(join(__dirname, 'ingest-bench-store.js'), { execArgv: [] });
  const [discardingPort] = (await once(discarding, 'message')) as [number];
  const sender = new EventSender(join(__dirname, '../../../libs/platform/ingest/test/event-load-process.js'));
  return {
    startIngest: (url) => startIngest(url, signer.publicKey),
    discardingUrl: `http://127.0.0.1:${discardingPort}`,
    peerPort,
    peerCpuSeconds: async () => {
      peer.send('usage');
      const [cpuSeconds] = (await once(peer, 'message')) as [number];
      return cpuSeconds;
    },
    sender,
    writeKeys: Array.from({ length: tenants }, () => signer.write({ keyId: newId(), tenantId: newId() })),
    close: () => {
      sender.close();
      peer.disconnect();
      discarding.disconnect();
    },
  };
}

async function startIngest(clickhouseUrl: string, publicKey: string): Promise<StagedIngest> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-ingest-'));
  const ingest = await IngestProcess.start({
    program: join(__dirname, '../../ingest/src/main.js'),
    port: await freePort(),
    metricsPort: await freePort(),
    environment: {
      WRITE_KEY_PUBLIC: publicKey,
      // Nobody answers there: keys are taken under the standard plan.
      HOLDFAST_API_URL: `http://127.0.0.1:${await freePort()}`,
      CLICKHOUSE_URL: clickhouseUrl,
      INGEST_DIRECTORY: directory,
    },
  });
  const stop = async (): Promise<void> => {
    ingest.signal('SIGTERM');
    await ingest.gone;
    rmSync(directory, { recursive: true, force: true });
  };
  return { ingest, stop };
}
