import { versionOffences } from './server-version';

describe('versionOffences', () => {
  it.each([180_006, 180_007, 170_008, 160_012, 150_016, 190_000])('accepts %s', (number) => {
    expect(versionOffences({ number })).toEqual([]);
  });

  it.each([
    [180_004, '18.4', '18.6'],
    [170_007, '17.7', '17.8'],
    [160_011, '16.11', '16.12'],
    [150_015, '15.15', '15.16'],
    [140_022, '14.22', '18.6, 17.8, 16.12, 15.16'],
  ])('finds %s too old', (number, version, wanted) => {
    expect(versionOffences({ number })).toEqual([
      expect.objectContaining({
        object: 'server_version',
        reason: expect.stringContaining(`PostgreSQL ${version} lacks`) as string,
        fix: expect.stringContaining(`install PostgreSQL ${wanted} or newer`) as string,
      }),
    ]);
  });
});
