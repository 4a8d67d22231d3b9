import { type ChildProcess, fork } from 'node:child_process';
import type { EventLoad, LoadOutcome } from './event-load';

/** Sends events from a process of its own: in that of a test or a bench it would measure what else goes on there. */
export class EventSender {
  private readonly child: ChildProcess;

  /** `program`: event-load-process, compiled. */
  constructor(program: string) {
    this.child = fork(program, { execArgv: [] });
  }

  /** Sends a load to its end, or until `stop`. One at a time. */
  send(load: EventLoad): Promise<LoadOutcome> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the sender ended with ${code}`));
      this.child.once('exit', ended);
      this.child.once('message', (outcome: LoadOutcome) => {
        this.child.off('exit', ended);
        resolve(outcome);
      });
      this.child.send(load);
    });
  }

  /** Ends the load under way. */
  stop(): void {
    this.child.send('stop');
  }

  close(): void {
    this.child.disconnect();
  }
}
