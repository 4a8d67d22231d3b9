import { InvalidInput, NotFound } from '@holdfast/kernel';
import { problemOf, refusalOf } from './problem';

const request = { url: '/v1/things/7?secret=x', id: 'r-1' };

describe('problem', () => {
  it('shows the code and detail of a refusal, and the path without its query', () => {
    expect(problemOf(refusalOf(new NotFound()), request)).toEqual({
      type: 'https://holdfast.dev/problems/resource.not_found',
      title: 'Not Found',
      status: 404,
      detail: 'There is no such object.',
      instance: '/v1/things/7',
      code: 'resource.not_found',
      requestId: 'r-1',
    });
  });

  it('lists the faults of an input', () => {
    const errors = [{ pointer: '/a', code: 'too_small', message: 'Too small.' }];
    expect(problemOf(refusalOf(new InvalidInput(errors)), request)).toMatchObject({ status: 422, errors });
  });

  it('says nothing of an error that nobody foresaw', () => {
    const error = new Error('duplicate key value violates "secret_table_pkey"');
    expect(JSON.stringify(problemOf(refusalOf(error), request))).not.toContain('secret_table');
    expect(refusalOf(error)).toMatchObject({ status: 500, code: 'server.failed' });
  });

  it.each([
    ['FST_ERR_CTP_BODY_TOO_LARGE', 413, 'request.too_large'],
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 415, 'request.unsupported_media_type'],
  ])('knows %s of the transport', (code, status, shown) => {
    expect(refusalOf(Object.assign(new Error('x'), { code }))).toMatchObject({ status, code: shown });
  });
});
