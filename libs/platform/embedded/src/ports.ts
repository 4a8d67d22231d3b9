import { createServer } from 'node:net';

/** Somebody else listens on the port that was asked for. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';

  constructor(readonly port: number) {
    super(`Port ${port} is taken by another program. Stop that program, or choose another port with --port.`);
  }
}

/** Ports that this process was told are free, and may not listen on yet: the kernel would give them out again. */
const given = new Set<number>();
const GIVEN_MAX = 1_000;

/** A TCP port of the loopback address that was free a moment ago, chosen by the kernel, and another one at each call. */
export async function freePort(): Promise<number> {
  let port = await bind(0);
  while (given.has(port)) port = await bind(0);
  if (given.size >= GIVEN_MAX) given.clear();
  given.add(port);
  return port;
}

/** The port itself when it is free; throws PortTaken otherwise. */
export async function requirePort(port: number): Promise<number> {
  try {
    given.add(await bind(port));
    return port;
  } catch {
    throw new PortTaken(port);
  }
}

function bind(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
