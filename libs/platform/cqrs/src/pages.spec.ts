import type { Caller } from '@holdfast/kernel';
import { z } from 'zod';
import { CursorInvalid, Cursors, page } from './pages';

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

  it('ends with null', () => {
    expect(page(['x'], 2, String, String).nextCursor).toBeNull();
    expect(page([], 2, String, String)).toMatchObject({ data: [], nextCursor: null });
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
