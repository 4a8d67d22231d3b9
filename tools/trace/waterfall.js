'use strict';

/** Draws spans as a waterfall: one row each, its bar where it lies in time. Self-contained SVG, readable on white and dark. */
const WIDTH = 1180;
const NAMES = 430;
const ROW = 26;
const TOP = 104;
const COLOURS = {
  request: '#2563eb',
  command: '#7c3aed',
  sql: '#0f766e',
  event: '#b45309',
  tick: '#64748b',
  delivery: '#be123c',
};
const WORDS = {
  request: 'request',
  command: 'command',
  sql: 'SQL statement',
  event: 'event in the log',
  tick: 'relay: tick',
  delivery: 'delivery to a group',
};

const escape = (text) => text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);
const ms = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(1));

/** `rows`: { kind, depth, name, note, startMs, endMs } in the order in which they are drawn. */
function drawWaterfall(title, subtitle, rows) {
  const from = Math.min(...rows.map(({ startMs }) => startMs));
  const to = Math.max(...rows.map(({ endMs }) => endMs));
  const room = WIDTH - NAMES - 90;
  const x = (at) => NAMES + ((at - from) / (to - from)) * room;
  const height = TOP + rows.length * ROW + 24;
  const ticks = axis(to - from).map((at) => {
    const place = x(from + at).toFixed(1);
    return `<line x1="${place}" x2="${place}" y1="${TOP - 8}" y2="${height - 16}" stroke="#e2e8f0"/><text x="${place}" y="${TOP - 14}" text-anchor="middle" fill="#64748b">${at} ms</text>`;
  });
  const bars = rows.map((row, place) => drawRow(row, TOP + place * ROW, x, row.startMs - from));
  const kinds = Object.keys(COLOURS).filter((kind) => rows.some((row) => row.kind === kind));
  const legend = kinds.map(
    (kind, place) =>
      `<rect x="${24 + place * 170}" y="60" width="12" height="12" rx="2" fill="${COLOURS[kind]}"/><text x="${42 + place * 170}" y="70" fill="#334155">${WORDS[kind]}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="24" y="28" font-size="17" font-weight="600" fill="#0f172a">${escape(title)}</text>`,
    `<text x="24" y="47" fill="#475569">${escape(subtitle)}</text>`,
    ...legend,
    ...ticks,
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

function drawRow({ kind, depth, name, note, startMs, endMs }, y, x, sinceMs) {
  const left = x(startMs);
  const width = Math.max(2, x(endMs) - left);
  const label = kind === 'event' ? `at ${ms(sinceMs)} ms` : `${ms(endMs - startMs)} ms`;
  const shape =
    kind === 'event'
      ? `<path d="M${left} ${y + 4}l7 8l-7 8l-7-8z" fill="${COLOURS.event}"/>`
      : `<rect x="${left.toFixed(1)}" y="${y + 5}" width="${width.toFixed(1)}" height="14" rx="2" fill="${COLOURS[kind]}"/>`;
  const end = kind === 'event' ? left + 7 : left + width;
  return [
    `<text x="${24 + depth * 16}" y="${y + 16}" fill="#0f172a">${escape(name)}${note ? `<tspan fill="#64748b" dx="6">${escape(note)}</tspan>` : ''}</text>`,
    shape,
    `<text x="${(end + 6).toFixed(1)}" y="${y + 16}" fill="#334155">${label}</text>`,
  ].join('');
}

/** About eight marks at round distances. */
function axis(span) {
  const distance = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => span / each <= 8) ?? 2000;
  return Array.from({ length: Math.floor(span / distance) + 1 }, (_, place) => place * distance);
}

module.exports = { drawWaterfall };
