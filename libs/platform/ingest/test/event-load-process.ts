import { type EventLoad, sendEvents } from './event-load';

/** A process that sends loads as it is told: `stop` ends the one under way. Each is answered by its outcome. */
let stopping: AbortController | undefined;

process.on('message', (message: EventLoad | 'stop') => {
  if (message === 'stop') {
    stopping?.abort();
    return;
  }
  stopping = new AbortController();
  void sendEvents(message, stopping.signal).then((outcome) => process.send?.(outcome));
});
