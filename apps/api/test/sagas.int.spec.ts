import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newId } from '@holdfast/kernel';
import { metricsText } from '@holdfast/observability';
import { eventually } from '@holdfast/testing';
import { type Answer, TestApi } from './test-api';
import { brokenSaga, compensations, TestSagas, unansweredSaga, waitingSaga } from './test-sagas';

const SECRET = 'secret-input';
const isPromtoolThere = spawnSync('promtool', ['--version']).status === 0;

// Promise 8 of the product, as its tenants see it: what stands still is seen, and ends when somebody has it end.
describe('Sagas over REST and GraphQL', () => {
  let api: TestApi;
  let sagas: TestSagas;
  let tenant: { readonly id: string; readonly key: string };

  beforeAll(async () => {
    api = await TestApi.start();
    sagas = new TestSagas(api);
  });
  afterAll(async () => {
    await sagas.close();
    await api.close();
  });
  beforeEach(async () => {
    tenant = await api.tenant();
  });

  const get = (url: string): Promise<Answer> => api.ask('GET', url, { key: tenant.key });
  const steer = (id: string, steering: string): Promise<Answer> =>
    api.ask('POST', `/v1/sagas/${id}/${steering}`, { key: tenant.key });
  const idsOf = ({ body }: Answer): unknown[] => (body['data'] as { id: string }[]).map(({ id }) => id);

  /** A saga whose compensation has failed for as long as it is tried. */
  async function unreturnable(): Promise<string> {
    compensations.areBroken = true;
    const id = await sagas.begin(tenant.id, brokenSaga, { secret: SECRET });
    await sagas.goOn(id);
    // It has failed once; 79 times more would take an hour, or some seconds of the run's.
    await api.database.admin('update sagas.sagas set attempts = 78 where id = $1 and attempts = 1', [id]);
    await sagas.goOn(id);
    expect((await get(`/v1/sagas/${id}`)).body).toMatchObject({ state: 'compensating', attempts: 79 });
    await sagas.goOn(id);
    return id;
  }

  it('are listed in pages and by state, definition and whether somebody has to look', async () => {
    const ids = [];
    for (let count = 0; count < 3; count += 1) ids.unshift(await sagas.begin(tenant.id, waitingSaga, {}));
    await api.database.admin(
      "update sagas.sagas set due_at = clock_timestamp() - interval '6 minutes' where id = $1",
      [ids[1]],
    );
    const first = await get('/v1/sagas?limit=2');
    expect(idsOf(first)).toEqual(ids.slice(0, 2));
    const after = String(first.body['nextCursor']);
    const second = await get(`/v1/sagas?limit=2&after=${after}`);
    expect([idsOf(second), second.body['nextCursor']]).toEqual([ids.slice(2), null]);
    expect(idsOf(await get('/v1/sagas?stuck=true'))).toEqual([ids[1]]);
    expect(idsOf(await get('/v1/sagas?stuck=false'))).toEqual([ids[0], ids[2]]);
    expect(idsOf(await get('/v1/sagas?state=running&definition=test.waiting'))).toEqual(ids);
    expect(idsOf(await get('/v1/sagas?state=completed'))).toEqual([]);
    expect(idsOf(await get('/v1/sagas?definition=test.broken'))).toEqual([]);
    expect(await get('/v1/sagas?state=lost')).toMatchObject({ status: 422 });
    const asked = await api.graphql(
      tenant.key,
      '{ sagas(first: 1, stuck: true) { edges { node { id definition state step stuck } } } }',
    );
    const node = { id: ids[1], definition: 'test.waiting', state: 'running', step: 'long', stuck: true };
    expect(asked.body).toMatchObject({ data: { sagas: { edges: [{ node }] } } });
  });

  it('need an operator when a compensation fails for good, and end when it is mended', async () => {
    const id = await unreturnable();
    const stopped = await get(`/v1/sagas/${id}`);
    expect(stopped.body).toMatchObject({
      ...{
        state: 'needs_operator',
        step: 'hold',
        reason: 'test.refused',
        lastError: 'sagas.failed.TypeError',
        stuck: true,
        dueAt: null,
      },
      steps: [
        { name: 'hold', kind: 'compensatable', state: 'current' },
        { name: 'decide', kind: 'pivot', state: 'pending' },
      ],
    });
    // What it began with, what a step has answered and what an error says are nobody's to see here.
    expect(stopped.text).not.toContain('secret');
    for (const steering of ['compensate', 'cancel'])
      expect(await steer(id, steering)).toMatchObject({ status: 409, body: { code: 'sagas.committed' } });

    compensations.areBroken = false;
    const retried = await steer(id, 'retry');
    expect(retried).toMatchObject({ status: 200, body: { id, state: 'compensating', attempts: 0 } });
    expect(await steer(id, 'retry')).toMatchObject({ status: 409, body: { code: 'sagas.not_stopped' } });
    await sagas.goOn(id);
    const { body } = await get(`/v1/sagas/${id}`);
    expect(body).toMatchObject({ state: 'compensated', step: null, stuck: false });
    const timeline = body['timeline'] as Record<string, string>[];
    expect(timeline.map(({ what, step, code, actor }) => [what, step ?? code, actor?.split(':')[0]])).toEqual(
      [
        ['started', null, 'system'],
        ['step_completed', 'hold', 'system'],
        ['compensation_begun', 'test.refused', 'system'],
        ['operator_needed', 'hold', 'system'],
        ['retried', null, 'api_key'],
        ['step_compensated', 'hold', 'system'],
        ['compensated', null, 'system'],
      ],
    );
    expect(await steer(id, 'retry')).toMatchObject({ status: 409, body: { code: 'sagas.ended' } });
    expect(await steer(newId(), 'retry')).toMatchObject({ status: 404 });
  });

  it('go on behind a step of which an operator says what has become of it, and tell who that was', async () => {
    const id = await sagas.begin(tenant.id, unansweredSaga, {});
    await sagas.goOn(id);
    const url = `/v1/operator/tenants/${tenant.id}/sagas/${id}/settle`;
    const body = { as: 'done', ticket: 'OPS-4711' };
    expect(await api.ask('POST', url, { key: tenant.key, body })).toMatchObject({ status: 401 });
    expect(await api.operator('POST', url, { body: { as: 'done' } })).toMatchObject({ status: 422 });
    const settled = await api.operator('POST', url, { body });
    expect(settled).toMatchObject({ status: 200, body: { id, state: 'running', step: 'post' } });
    await sagas.goOn(id);
    const shown = await get(`/v1/sagas/${id}`);
    expect(shown.body).toMatchObject({
      state: 'completed',
      steps: [{ name: 'pay', state: 'completed' }, {}],
      timeline: [
        { what: 'started', ticket: null },
        { what: 'operator_needed' },
        { what: 'step_settled', step: 'pay', ticket: body.ticket, act: expect.stringMatching(/^operator:/) },
        { what: 'step_completed', step: 'pay' },
        ...[{ what: 'step_completed', step: 'post' }, { what: 'completed' }],
      ],
    });
    expect(await api.operator('POST', url, { body })).toMatchObject({
      ...{ status: 409, body: { code: 'sagas.ended' } },
    });
  });

  it('are cancelled once for a request, and are given up behind it', async () => {
    const id = await sagas.begin(tenant.id, waitingSaga, {});
    const asked = { key: tenant.key, idempotencyKey: 'cancel-once' };
    const cancelled = await api.ask('POST', `/v1/sagas/${id}/cancel`, asked);
    expect(cancelled).toMatchObject({ status: 200, body: { state: 'running', cancelRequested: true } });
    const again = await api.ask('POST', `/v1/sagas/${id}/cancel`, asked);
    expect([again.status, again.headers['idempotency-replayed'], again.body]).toEqual([
      200,
      'true',
      cancelled.body,
    ]);
    await sagas.goOn(id);
    expect((await get(`/v1/sagas/${id}`)).body).toMatchObject({
      ...{ state: 'compensated', reason: 'sagas.cancelled' },
      timeline: [{ what: 'started' }, { what: 'cancel_requested' }, {}, { what: 'compensated' }],
    });
  });

  it('of a release that is not here any more go on in a process that has it, and are not given up', async () => {
    const id = await unreturnable();
    await api.database.admin("update sagas.sagas set hash = 'another' where id = $1", [id]);
    expect(await steer(id, 'compensate')).toMatchObject({
      status: 409,
      body: { code: 'sagas.unknown_definition' },
    });
    const mutation = `mutation($id: ID!) { retrySaga(id: $id, idempotencyKey: "once") { state step } }`;
    const retried = await api.graphql(tenant.key, mutation, { id });
    expect(retried.body).toMatchObject({ data: { retrySaga: { state: 'compensating', step: null } } });
    const { body } = await get(`/v1/sagas/${id}`);
    expect(body['steps']).toEqual([{ name: 'hold', kind: null, state: 'completed' }]);
  });

  (isPromtoolThere ? describe : describe.skip)('An alert', () => {
    it('pages somebody by what a worker measures of a saga that has stopped', async () => {
      await unreturnable();
      sagas.start();
      let exposed = '';
      await eventually(async () => {
        exposed = (await metricsText()).text;
        return /^holdfast_sagas_open\{.*state="needs_operator".*\} 1$/m.test(exposed);
      });
      const [series = ''] = /^holdfast_sagas_open\{.*state="needs_operator".*\}/m.exec(exposed) ?? [];
      const alert = { eval_time: '5m', alertname: 'HoldfastSagaNeedsOperator' };
      const test = {
        rule_files: [path.resolve(__dirname, '../../../deploy/observability/alerts.yaml')],
        tests: [
          {
            interval: '15s',
            input_series: [{ series, values: '_x16 1x20' }],
            promql_expr_test: [
              {
                expr: `ALERTS{alertname="${alert.alertname}"}`,
                eval_time: '5m',
                exp_samples: [
                  {
                    labels: `ALERTS{alertname="${alert.alertname}", alertstate="firing", saga="test.broken", severity="page"}`,
                    value: 1,
                  },
                ],
              },
              { expr: `ALERTS{alertname="${alert.alertname}"}`, eval_time: '3m', exp_samples: [] },
            ],
          },
        ],
      };
      const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-alert-'));
      try {
        // JSON is YAML.
        writeFileSync(path.join(folder, 'test.yaml'), JSON.stringify(test));
        expect(
          execFileSync('promtool', ['test', 'rules', 'test.yaml'], { cwd: folder, encoding: 'utf8' }),
        ).toContain('SUCCESS');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
});
