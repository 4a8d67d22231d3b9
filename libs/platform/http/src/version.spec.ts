import { VersionMissing, versionIn } from './version';

describe('If-Match', () => {
  it('names the version in an ETag of ours', () => {
    expect(versionIn('"7"')).toBe('7');
    expect(versionIn(' "12" ')).toBe('12');
  });

  it.each(['*', 'W/"7"', '7', '"7", "8"', '"seven"', '"-1"', `"${'9'.repeat(19)}"`])(
    'is a version that nothing has for %s',
    (header) => expect(versionIn(header)).toBe('none'),
  );

  it.each([undefined, '', '  '])('is asked for where it is %j', (header) => {
    expect(() => versionIn(header)).toThrow(VersionMissing);
  });
});
