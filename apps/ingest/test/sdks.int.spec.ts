import { logs, SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import RudderAnalytics from '@rudderstack/rudder-sdk-node';
import { Analytics } from '@segment/analytics-node';
import { PostHog } from 'posthog-node';
import { TestIngest } from './test-ingest';

describe('An unmodified SDK', () => {
  let ingest: TestIngest;
  beforeEach(async () => {
    ingest = await TestIngest.start();
  });
  afterEach(() => ingest.close());

  test('of Segment has what it sends stored', async () => {
    const analytics = new Analytics({ writeKey: ingest.writeKey, host: ingest.url });
    const failures: unknown[] = [];
    analytics.on('error', (error) => failures.push(error));
    analytics.identify({ userId: 'u1', traits: { plan: 'free' } });
    analytics.track({ userId: 'u1', event: 'Signed Up', properties: { source: 'ad' } });
    analytics.page({ anonymousId: 'a1', name: 'Home' });
    analytics.screen({ userId: 'u1', name: 'Start' });
    analytics.group({ userId: 'u1', groupId: 'g1', traits: { size: 3 } });
    analytics.alias({ userId: 'u1', previousId: 'a1' });
    await analytics.closeAndFlush();
    const rows = await ingest.stored(6);
    expect(failures).toEqual([]);
    expect(rows.map(({ kind }) => kind).toSorted()).toEqual([
      'alias',
      'group',
      'identify',
      'page',
      'screen',
      'track',
    ]);
    const track = rows.find(({ kind }) => kind === 'track');
    expect(track).toMatchObject({ name: 'Signed Up', user_id: 'u1', properties: '{"source":"ad"}' });
    expect(track?.context).toContain('analytics-node');
  });

  test('of RudderStack has what it sends stored, though it labels gzip as a form', async () => {
    const analytics = new RudderAnalytics(ingest.writeKey, { dataPlaneUrl: ingest.url, flushAt: 2 });
    analytics.track({ userId: 'u1', event: 'Paid', properties: { cents: 5 } });
    analytics.identify({ userId: 'u1', traits: { plan: 'pro' } });
    await analytics.flush();
    const rows = await ingest.stored(2);
    expect(rows.map(({ kind, user_id, properties }) => [kind, user_id, properties])).toEqual([
      ['identify', 'u1', '{"plan":"pro"}'],
      ['track', 'u1', '{"cents":5}'],
    ]);
  });

  test('of PostHog has what it sends stored, and finds no feature flags', async () => {
    const posthog = new PostHog(ingest.writeKey, { host: ingest.url });
    const failures: unknown[] = [];
    posthog.on('error', (error: unknown) => failures.push(error));
    posthog.capture({ distinctId: 'u1', event: 'signed up', properties: { plan: 'pro' } });
    posthog.identify({ distinctId: 'u1', properties: { name: 'Ada' } });
    const flags = await posthog.evaluateFlags('u1');
    expect(flags.isEnabled('beta')).toBe(false);
    await posthog.shutdown();
    const rows = await ingest.stored(2);
    expect(failures).toEqual([]);
    const captured = rows.find(({ name }) => name === 'signed up');
    expect(captured).toMatchObject({ kind: 'track', user_id: 'u1' });
    expect(JSON.parse(captured?.properties ?? '')).toMatchObject({ plan: 'pro', $lib: 'posthog-node' });
    expect(rows.find(({ name }) => name === '$identify')?.kind).toBe('identify');
  });

  test('of OpenTelemetry has its log records stored, each once though it sends them twice', async () => {
    const exporter = new OTLPLogExporter({
      url: `${ingest.url}/v1/logs`,
      headers: { authorization: `Bearer ${ingest.writeKey}` },
    });
    const provider = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter })] });
    logs.disable();
    const timestamp = new Date();
    for (let attempt = 0; attempt < 2; attempt++) {
      provider.getLogger('shop').emit({
        timestamp,
        observedTimestamp: timestamp,
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the SDK brings an API of its own, with the same numbers.
        severityNumber: SeverityNumber.ERROR,
        severityText: 'ERROR',
        body: 'no stock',
        attributes: { 'user.id': 'u1' },
      });
      await provider.forceFlush();
    }
    await provider.shutdown();
    await ingest.post('/v1/track', { event: 'Last', userId: 'u1' });
    const rows = await ingest.stored(2);
    expect(rows.map(({ kind, name, user_id }) => [kind, name, user_id])).toEqual([
      ['log', 'ERROR', 'u1'],
      ['track', 'Last', 'u1'],
    ]);
    expect(JSON.parse(rows[0]?.properties ?? '')).toMatchObject({ body: 'no stock', severity: 17 });
    expect(JSON.parse(rows[0]?.context ?? '')).toMatchObject({ scope: { name: 'shop' } });
  });
});
