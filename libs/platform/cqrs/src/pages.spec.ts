import type { Caller } from '@holdfast/kernel';
import { z } from 'zod';
import { CursorInvalid, Cursors, lookedAt, page, pageInput } from './pages';

const caller = { tenantId: 'a' } as Caller;
const cursors = new Cursors('things', z.tuple([z.string()]));

describe('pages', () => {
  it('shows limit rows and where to go on', () => {
    const shown = page(
      ['x', 'y', 'z'],
      2,
      (row) => row.toUpperCase(),
      (row) => cursors.encode(caller, [row]),
    );
    expect(shown.data).toEqual(['X', 'Y']);
    expect(cursors.decode(caller, shown.nextCursor ?? '')).toEqual(['y']);
    expect(JSON.parse(JSON.stringify(shown))).toEqual({ data: ['X', 'Y'], nextCursor: shown.cursorAt(1) });
  });

  it.each([
    ['-1', 'too_small'],
    ['0', 'too_small'],
    ['201', 'too_big'],
    ['1e1', 'invalid_type'],
    ['0x10', 'invalid_type'],
  ])('refuses a limit of %s as %s', (limit, code) => {
    expect(pageInput.limit.safeParse(limit).error?.issues).toMatchObject([{ code }]);
  });

  it('ends with null', () => {
    expect(page(['x'], 2, String, String).nextCursor).toBeNull();
    expect(page([], 2, String, String)).toMatchObject({ data: [], nextCursor: null });
  });

  it('goes on where a list with filters has stopped looking', () => {
    const row = (id: string, isShown: boolean, isLast = false) => ({ id, isShown, isLast });
    const looked = lookedAt([row('a', true), row('c', false, true), row('d', true)]);
    expect(looked).toEqual({ shown: [row('a', true)], last: row('c', false, true) });
    expect(page(['a'], 1, String, String, 'c')).toMatchObject({ data: ['a'], nextCursor: 'c' });
    expect(page(['a', 'b'], 1, String, String, 'c')).toMatchObject({ data: ['a'], nextCursor: 'a' });
    expect(lookedAt([row('a', true)])).toEqual({ shown: [row('a', true)], last: undefined });
  });

  it('refuses a cursor that is altered, of another tenant or of another list', () => {
    const cursor = cursors.encode(caller, ['y']);
    const others = [
      () => cursors.decode({ ...caller, tenantId: 'b' }, cursor),
      () => new Cursors('people', z.tuple([z.string()])).decode(caller, cursor),
      () => cursors.decode(caller, `${cursor.slice(0, -2)}AA`),
      () => cursors.decode(caller, Buffer.from('["x","y"]').toString('base64url')),
      () => cursors.decode(caller, ''),
      () => cursors.decode(caller, 'null'),
    ];
    for (const decode of others) expect(decode).toThrow(CursorInvalid);
  });
});
