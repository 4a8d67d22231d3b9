import { connect, type Socket } from 'node:net';

/** A connection was not there, or ended before its request was answered. */
export const NO_ANSWER = 0;

/**
 * One connection that stays open, with one request at a time on it. Node's own client costs as much as the server that is measured;
 * this one reads of an answer what it needs.
 */
export class EventConnection {
  private socket: Socket | undefined;
  private text = '';
  private waiting: ((status: number) => void) | undefined;

  constructor(private readonly port: number) {}

  /** Sends a request and answers the status of its answer, or NO_ANSWER. */
  send(request: Buffer): Promise<number> {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.text = '';
      (this.socket ?? this.open()).write(request);
    });
  }

  close(): void {
    this.socket?.destroy();
  }

  private open(): Socket {
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.read(chunk));
    socket.on('error', () => {}); // The close behind it is what counts.
    socket.on('close', () => {
      if (this.socket === socket) this.socket = undefined;
      this.answer(NO_ANSWER);
    });
    return socket;
  }

  private read(chunk: string): void {
    this.text += chunk;
    const headEnds = this.text.indexOf('\r\n\r\n');
    if (headEnds < 0) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.text.slice(0, headEnds + 2));
    if (this.text.length < headEnds + 4 + Number(length?.[1] ?? 0)) return;
    if (/\r\nconnection: *close/i.test(this.text.slice(0, headEnds + 2))) {
      const { socket } = this;
      this.socket = undefined;
      socket?.end();
    }
    this.answer(Number(this.text.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)));
  }

  private answer(status: number): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.(status);
  }
}
