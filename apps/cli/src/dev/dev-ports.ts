import { freePort, PortTaken, requirePort } from '@holdfast/embedded';

/**
 * The port that was asked for, or throws PortTaken; where none was asked for, the usual one or else a free one. What is
 * answered was free a moment ago: whoever listens on it still has to fail clearly.
 */
export async function choosePort(asked: number | undefined, usual: number): Promise<number> {
  if (asked === 0) return freePort();
  if (asked !== undefined) return requirePort(asked);
  try {
    return await requirePort(usual);
  } catch (error) {
    if (error instanceof PortTaken) return freePort();
    throw error;
  }
}
