import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '@holdfast/config';
import { WriteKeySigner } from '@holdfast/ingest';
import { newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { startIngest } from './ingest';

/** For what is under way; longer than the test may take, so that nothing is waited for in vain. */
const PATIENCE_MS = 120_000;

describe('Ingest', () => {
  test('starts, takes telemetry and stops while no store and no API is there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-ingest-'));
    const { privateKey } = generateKeyPairSync('ed25519');
    const signer = new WriteKeySigner(privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'));
    const config = readConfig('ingest', {
      HOLDFAST_HOST: '127.0.0.1',
      HOLDFAST_INGEST_PORT: '0',
      HOLDFAST_API_URL: 'http://127.0.0.1:9',
      CLICKHOUSE_URL: 'http://127.0.0.1:9',
      INGEST_DIRECTORY: directory,
      WRITE_KEY_PUBLIC: signer.publicKey,
    });
    const ingest = await startIngest(config, createLogger({ app: 'ingest', level: 'fatal' }), PATIENCE_MS);
    const statusAt = async (path: string, method = 'GET'): Promise<number> =>
      (await fetch(`${ingest.url}${path}`, { method })).status;
    expect(await statusAt('/livez')).toBe(200);
    expect(await statusAt('/readyz?verbose')).toBe(200);
    expect(await statusAt('/startupz')).toBe(200);
    expect(await statusAt('/livez', 'HEAD')).toBe(200);
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE'])
      expect(await statusAt('/v1/track', method)).toBe(404);
    expect(await statusAt('/livez', 'POST')).toBe(404);
    const writeKey = signer.write({ keyId: newId(), tenantId: newId() });
    const { status } = await fetch(`${ingest.url}/v1/track`, {
      method: 'POST',
      body: JSON.stringify({ event: 'Clicked', userId: 'u1', writeKey }),
    });
    expect(status).toBe(200);
    // Half of a request is there when it is told to stop, and the connection would be kept.
    const socket = connect(Number(new URL(ingest.url).port), '127.0.0.1');
    socket.write('POST /v1/track HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{');
    await once(socket, 'connect');
    // And one that says nothing, as a browser opens it in advance.
    const silent = connect(Number(new URL(ingest.url).port), '127.0.0.1');
    await once(silent, 'connect');
    await fetch(`${ingest.url}/livez`);
    const stopped = ingest.stop();
    socket.write('}');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/\r\nconnection: close\r\n/i);
    await stopped;
    await expect(fetch(`${ingest.url}/livez`)).rejects.toThrow('fetch failed');
    rmSync(directory, { recursive: true, force: true });
  });
});
