import { type ApiLoad, sendLoad } from './api-load';

/** A process that sends loads as it is told: `stop` ends the one under way. Each is answered by its outcome. */
let stopping: AbortController | undefined;

process.on('message', (message: ApiLoad | 'stop') => {
  if (message === 'stop') {
    stopping?.abort();
    return;
  }
  stopping = new AbortController();
  void sendLoad(message, stopping.signal).then((outcome) => process.send?.(outcome));
});
