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

/** The processes of a bench of ingest: ingest itself, its peer, and who sends to both. The store is in the bench's own. */
export interface IngestStage {
  readonly ingest: IngestProcess;
  readonly peerPort: number;
  /** CPU that the peer has used, in seconds of a core. */
  readonly peerCpuSeconds: () => Promise<number>;
  readonly sender: EventSender;
  /** One of each tenant. */
  readonly writeKeys: readonly string[];
  close(): Promise<void>;
}

/** Starts them, with ingest writing into the bench's ClickHouse. */
export async function openStage({ clickhouseUrl }: BenchSystem, tenants: number): Promise<IngestStage> {
  const store = new TelemetryStore({ url: clickhouseUrl });
  await store.migrate();
  await store.close();
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer = new WriteKeySigner(privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'));
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-ingest-'));
  const ingest = await IngestProcess.start({
    program: join(__dirname, '../../ingest/src/main.js'),
    port: await freePort(),
    metricsPort: await freePort(),
    environment: {
      WRITE_KEY_PUBLIC: signer.publicKey,
      // Nobody answers there: keys are taken under the standard plan.
      HOLDFAST_API_URL: `http://127.0.0.1:${await freePort()}`,
      CLICKHOUSE_URL: clickhouseUrl,
      INGEST_DIRECTORY: directory,
    },
  });
  const peer = fork(join(__dirname, 'ingest-bench-peer.js'), { execArgv: [] });
  const [peerPort] = (await once(peer, 'message')) as [number];
  const sender = new EventSender(join(__dirname, '../../../libs/platform/ingest/test/event-load-process.js'));
  return {
    ingest,
    peerPort,
    peerCpuSeconds: async () => {
      peer.send('usage');
      const [cpuSeconds] = (await once(peer, 'message')) as [number];
      return cpuSeconds;
    },
    sender,
    writeKeys: Array.from({ length: tenants }, () => signer.write({ keyId: newId(), tenantId: newId() })),
    close: async () => {
      sender.close();
      peer.disconnect();
      ingest.signal('SIGTERM');
      await ingest.gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
