import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevRuns, takeDevLock } from './dev-lock';

describe('The lock of a directory', () => {
  let directory = '';
  let file = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
    file = join(directory, 'dev.lock');
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  test('is held by one process and given back', () => {
    const release = takeDevLock(directory);
    expect(() => takeDevLock(directory)).toThrow(DevRuns);
    release();
    expect(existsSync(file)).toBe(false);
    takeDevLock(directory)();
  });

  test('of a process that is gone is taken over', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.once('exit', resolve));
    writeFileSync(file, JSON.stringify({ pid: child.pid, startedAt: 'unknown' }));
    const release = takeDevLock(directory);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid });
    release();
  });

  test('of a process whose number another one has got is taken over', () => {
    // Process 1 always lives; it was not started at tick 1 of another boot.
    writeFileSync(file, JSON.stringify({ pid: 1, startedAt: '1@another-boot' }));
    if (existsSync('/proc/1/stat')) takeDevLock(directory)();
    else expect(() => takeDevLock(directory)).toThrow(DevRuns);
  });

  test('that was cut off while it was written is taken over', () => {
    writeFileSync(file, '');
    takeDevLock(directory)();
  });

  test('that is another’s by now is not given back', () => {
    const release = takeDevLock(directory);
    const other = JSON.stringify({ pid: 1, startedAt: 'other' });
    writeFileSync(file, other);
    release();
    expect(readFileSync(file, 'utf8')).toBe(other);
  });
});
