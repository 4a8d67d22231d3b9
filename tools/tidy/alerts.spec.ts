import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './tree';

const folder = path.join(root, 'deploy/observability');
const rules = readFileSync(path.join(folder, 'alerts.yaml'), 'utf8');
const metrics = readFileSync(path.join(root, 'libs/platform/observability/README.md'), 'utf8');
const isPromtoolThere = spawnSync('promtool', ['--version']).status === 0;
if (!isPromtoolThere)
  process.stdout.write('Skipped: what the alerts do (there is no promtool on the path).\n');

describe('alerts.yaml', () => {
  it('asks for metrics that processes have', () => {
    const asked = new Set(rules.match(/holdfast_[a-z_]+/g));
    expect(asked.size).toBeGreaterThan(4);
    for (const metric of asked) expect(metrics).toContain(`| \`${metric}\` |`);
  });

  it('names a runbook that is there in every alert', () => {
    const runbooks = [...rules.matchAll(/^ +runbook: (.+)$/gm)].map(([, runbook = '']) => runbook);
    expect(runbooks).toHaveLength(rules.match(/- alert:/g)?.length ?? 0);
    for (const runbook of runbooks)
      expect([runbook, existsSync(path.join(root, runbook))]).toEqual([runbook, true]);
  });
});

(isPromtoolThere ? describe : describe.skip)('An alert, as promtool runs it', () => {
  it('fires when it should and not before', () => {
    const run = (...words: string[]): string =>
      execFileSync('promtool', words, { cwd: folder, encoding: 'utf8' });
    expect(run('check', 'rules', 'alerts.yaml')).toContain('SUCCESS: 38 rules');
    expect(run('test', 'rules', 'alerts.test.yaml')).toContain('SUCCESS');
  });
});
