export { type QueueBackend } from './backend';
export { WakeUpQueue, type WakeUpQueueOptions } from './wake-up-queue';
