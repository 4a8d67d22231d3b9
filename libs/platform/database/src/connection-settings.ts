/**
 * What a connection of ours asks of the server's end of it besides, in seconds, a number and milliseconds: a session whose client
 * the network has cut off without a word ends within half a minute, and not after the two hours that Linux waits.
 */
export const CONNECTION_SETTINGS = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 4,
  tcp_user_timeout: 30_000,
} as const;

/** The same of our end: an idle connection is asked for a sign of life after this, and, by Node, every second then; it is given up after ten. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;
