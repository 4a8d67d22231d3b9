import { createServer } from 'node:net';

/** Somebody else listens on the port that was asked for. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';

  constructor(readonly port: number) {
    super(`Port ${port} is taken by another program. Stop that program, or choose another port with --port.`);
  }
}

/** A TCP port of the loopback address that was free a moment ago, chosen by the kernel. */
export function freePort(): Promise<number> {
  return bind(0);
}

/** The port itself when it is free; throws PortTaken otherwise. */
export async function requirePort(port: number): Promise<number> {
  try {
    return await bind(port);
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
