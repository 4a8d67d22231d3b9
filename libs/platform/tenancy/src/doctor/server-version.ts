import { statement } from '@holdfast/database';
import type { Offence } from './catalogue-check';

/** The version that the server says it has. */
export interface ServerVersion {
  /** Major × 10,000 + minor, as PostgreSQL numbers its releases since version 10. */
  readonly number: number;
}

export const FIND_SERVER_VERSION = statement<ServerVersion>(
  'doctor.find_server_version',
  `select current_setting('server_version_num')::int as number`,
);

/**
 * The first minor release of each major that isolation may rest on. Minor releases hold nothing but repairs, among them
 * those of row-level security itself: policies forgotten by a reused plan (CVE-2024-10976), sampled values of hidden rows
 * shown by statistics (CVE-2025-8713). Majors that are not here are past their end, or newer than this list.
 */
const FLOORS: ReadonlyMap<number, number> = new Map([
  [18, 6],
  [17, 8],
  [16, 12],
  [15, 16],
]);
const OLDEST = Math.min(...FLOORS.keys());

/** Whether the server is older than isolation may rest on. */
export function versionOffences({ number }: ServerVersion): Offence[] {
  const [major, minor] = [Math.floor(number / 10_000), number % 10_000];
  const floor = FLOORS.get(major);
  if (major >= OLDEST && (floor === undefined || minor >= floor)) return [];
  const wanted =
    floor === undefined ? [...FLOORS].map(([of, first]) => `${of}.${first}`).join(', ') : `${major}.${floor}`;
  return [
    {
      object: 'server_version',
      reason: `PostgreSQL ${major}.${minor} lacks repairs of row-level security that later releases have`,
      fix: `install PostgreSQL ${wanted} or newer; in production, nothing is served until then`,
    },
  ];
}
