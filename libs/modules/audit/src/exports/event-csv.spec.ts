import { csvCell, csvEvent, csvHeader } from './event-csv';

/** Reads RFC 4180 as programs do, and takes the apostrophes away again. */
function parse(text: string): string[][] {
  const lines: string[][] = [[]];
  for (const [, cell = '', end] of text.matchAll(/"((?:[^"]|"")*)"(,|\r\n)/g)) {
    lines.at(-1)?.push(cell.replaceAll('""', '"').replace(/^'/, ''));
    if (end !== ',') lines.push([]);
  }
  return lines.slice(0, -1);
}

const event = (type: string, data: Record<string, unknown> = {}) => ({
  ...{ id: '019a0000-0000-7000-8000-000000000001', type, schemaVersion: 1, actor: 'key:1', act: null },
  ...{ outcome: 'accepted' as const },
  stream: { type: 'test.fence', id: '019a0000-0000-7000-8000-000000000002', version: '3' },
  ...{
    requestId: 'r',
    causationId: null,
    traceparent: null,
    occurredAt: '2026-11-26T20:00:00.000001Z',
    data,
  },
});

describe('A table of events', () => {
  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '＝1', "'quoted", "'=1"])(
    'has no cell that is a formula, and gives %j back',
    (value) => {
      expect(csvCell(value)).toBe(`"'${value}"`);
      expect(parse(`${csvCell(value)}\r\n`)).toEqual([[value]]);
    },
  );

  it('gives every cell back, whatever stands in it', () => {
    const data = { text: 'a "b", c\r\nd\n', formula: '=cmd|x', unicode: '\u2028é' };
    const [header = [], line = []] = parse(csvHeader + csvEvent(event('x,"y"', data)));
    expect(header).toHaveLength(line.length);
    const cells = Object.fromEntries(header.map((name, at) => [name, line[at]]));
    expect(cells).toMatchObject({ type: 'x,"y"', streamVersion: '3', act: '' });
    expect(JSON.parse(cells['data'] ?? '')).toEqual(data);
  });
});
