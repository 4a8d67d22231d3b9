import { byteRange } from './byte-range';

describe('A range of bytes', () => {
  it.each([
    [undefined, undefined],
    ['bytes=0-', { from: 0, to: 100 }],
    ['bytes=40-', { from: 40, to: 100 }],
    ['bytes=40-49', { from: 40, to: 50 }],
    ['bytes=40-4000', { from: 40, to: 100 }],
    ['bytes=-10', { from: 90, to: 100 }],
    ['bytes=-1000', { from: 0, to: 100 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=50-40', undefined],
    ['bytes=0-1,5-6', undefined],
    ['bytes=-', undefined],
    ['lines=1-2', undefined],
  ])('%s of a file of 100', (header, expected) => expect(byteRange(header, 100)).toEqual(expected));
});
