import { NotFound } from '@holdfast/kernel';
import { DatabaseError } from 'pg';
import {
  DatabaseBusy,
  DatabaseUnavailable,
  leavesOutcomeOpen,
  OutcomeUnknown,
  translate,
} from './database-errors';

function serverError(code: string, severity = 'ERROR'): DatabaseError {
  return Object.assign(new DatabaseError('as PostgreSQL says', 0, 'error'), { code, severity });
}

describe('an error at a commit', () => {
  it.each([
    ['the server shutting down', serverError('57P01', 'FATAL')],
    ['a panic while the log is written', serverError('58030', 'PANIC')],
    ['a panic for want of disk', serverError('53100', 'PANIC')],
    ['a connection that is cut', new Error('Connection terminated unexpectedly')],
  ])('leaves the outcome open: %s', (_what, error) => {
    expect(leavesOutcomeOpen(error)).toBe(true);
  });

  it.each(['23505', '40001', '53100'])('is a failure and nothing else: %s', (code) => {
    expect(leavesOutcomeOpen(serverError(code))).toBe(false);
  });
});

describe('what a caller is told', () => {
  it.each([
    ['55P03', DatabaseBusy],
    ['57014', DatabaseBusy],
    ['53300', DatabaseUnavailable],
    ['57P03', DatabaseUnavailable],
  ])('of %s', (code, kind) => {
    expect(translate(serverError(code))).toBeInstanceOf(kind);
  });

  it('of a refusal is the refusal', () => {
    for (const refusal of [new NotFound(), new OutcomeUnknown(undefined)])
      expect(translate(refusal)).toBe(refusal);
  });
});
