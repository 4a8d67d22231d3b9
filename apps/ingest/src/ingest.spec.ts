import { startIngest } from './ingest';

describe('Ingest', () => {
  test('answers the health endpoints, and nothing else', async () => {
    const ingest = await startIngest({ host: '127.0.0.1', ingestPort: 0 });
    const statusAt = async (path: string): Promise<number> => (await fetch(`${ingest.url}${path}`)).status;
    expect(await statusAt('/livez')).toBe(200);
    expect(await statusAt('/readyz?verbose')).toBe(200);
    expect(await statusAt('/startupz')).toBe(200);
    expect(await statusAt('/v1/track')).toBe(404);
    await ingest.stop();
    await expect(fetch(`${ingest.url}/livez`)).rejects.toThrow('fetch failed');
  });
});
