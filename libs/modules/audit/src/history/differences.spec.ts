import { differencesOf } from './differences';

describe('Differences between two states', () => {
  it.each([
    [null, { a: 1 }, [{ pointer: '', before: null, after: { a: 1 } }]],
    [{}, { a: 1 }, [{ pointer: '/a', after: 1 }]],
    [{ a: 1 }, {}, [{ pointer: '/a', before: 1 }]],
    [{ a: null }, {}, [{ pointer: '/a', before: null }]],
    [{ b: { c: 1, d: 2 }, a: 1 }, { a: 1, b: { d: 3, c: 1 } }, [{ pointer: '/b/d', before: 2, after: 3 }]],
    [{ a: [1, { x: 1, y: 2 }] }, { a: [1, { y: 2, x: 1 }] }, []],
    [{ a: [1, 2] }, { a: [2, 1] }, [{ pointer: '/a', before: [1, 2], after: [2, 1] }]],
    [{ a: [1] }, { a: { 0: 1 } }, [{ pointer: '/a', before: [1], after: { 0: 1 } }]],
    [{ 'a/b': { '~': 1 } }, { 'a/b': { '~': 2 } }, [{ pointer: '/a~1b/~0', before: 1, after: 2 }]],
    [{ a: '1' }, { a: 1 }, [{ pointer: '/a', before: '1', after: 1 }]],
  ])('%j and %j', (before, after, expected) => {
    expect(differencesOf(before, after)).toEqual(expected);
  });

  it('looks at no prototype', () => {
    const odd = JSON.parse('{"__proto__":1,"constructor":2}') as unknown;
    expect(differencesOf({}, odd)).toEqual([
      { pointer: '/__proto__', after: 1 },
      { pointer: '/constructor', after: 2 },
    ]);
  });

  it('ends at a depth', () => {
    const [difference] = differencesOf(
      { a: { b: { c: { d: { e: { f: { g: { h: { i: 1 } } } } } } } } },
      {
        a: { b: { c: { d: { e: { f: { g: { h: { i: 2 } } } } } } } },
      },
    );
    expect(difference!.pointer).toBe('/a/b/c/d/e/f/g/h');
  });
});
