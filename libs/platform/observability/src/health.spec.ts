import { Health } from './health';
import { startMetricsServer } from './metrics-server';

describe('Health', () => {
  test('is alive from the beginning, and ready once it has started', async () => {
    const health = new Health();
    expect(health.live().status).toBe('ok');
    expect(health.startup().status).toBe('starting');
    expect((await health.ready()).status).toBe('starting');
    health.started();
    expect(health.startup().status).toBe('ok');
    expect((await health.ready()).status).toBe('ok');
  });

  test('names the check that fails and keeps its message to itself', async () => {
    const health = new Health();
    health.check('database', () =>
      Promise.reject(new TypeError('password authentication failed for hunter2')),
    );
    health.check('store', () => Promise.resolve());
    health.started();
    const report = await health.ready();
    expect(report.status).toBe('failed');
    expect(report.checks).toMatchObject([
      { name: 'database', status: 'failed', reason: 'TypeError' },
      { name: 'store', status: 'ok' },
    ]);
    expect(JSON.stringify(report)).not.toContain('hunter2');
  });

  test('does not wait for a check that hangs', async () => {
    const health = new Health();
    health.check('store', () => new Promise(() => {}), 30);
    health.started();
    expect((await health.ready()).checks).toMatchObject([
      { name: 'store', status: 'failed', reason: 'TimeoutError' },
    ]);
  });

  test('shares one run among those who ask at the same time', async () => {
    const health = new Health();
    let runs = 0;
    health.check('database', () => Promise.resolve((runs += 1)));
    health.started();
    await Promise.all(Array.from({ length: 20 }, () => health.ready()));
    expect(runs).toBe(1);
  });

  test('is not ready, and still alive, while it drains', async () => {
    const health = new Health();
    health.started();
    await health.ready();
    health.drain();
    expect((await health.ready()).status).toBe('draining');
    expect(health.live().status).toBe('ok');
  });
});

describe('The metrics server', () => {
  test('serves metrics and health on its own port', async () => {
    const health = new Health();
    health.check('database', () => Promise.resolve());
    health.show('policies', () => [{ name: 'oidc', circuit: 'open' }]);
    const server = await startMetricsServer({ host: '127.0.0.1', port: 0, health });
    const at = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);
    expect((await at('/readyz')).status).toBe(503);
    health.started();
    expect(await (await at('/readyz?verbose')).json()).toMatchObject({
      status: 'ok',
      checks: [{ name: 'database' }],
      policies: [{ name: 'oidc', circuit: 'open' }],
    });
    expect(await (await at('/readyz')).json()).toEqual({ status: 'ok' });
    expect((await at('/livez')).status).toBe(200);
    expect((await at('/startupz')).status).toBe(200);
    const metrics = await (await at('/metrics')).text();
    expect(metrics).toContain('nodejs_eventloop_lag_seconds');
    expect(metrics).toContain('holdfast_health_check_ok{check="database"} 1');
    expect((await at('/nowhere')).status).toBe(404);
    await server.close();
  });

  it('shows what it watches, and stays ready without it', async () => {
    const health = new Health();
    health.watch('store', () => Promise.reject(new Error('away')));
    health.started();
    expect(await health.ready()).toMatchObject({
      status: 'ok',
      checks: [{ name: 'store', status: 'failed' }],
    });
  });
});
