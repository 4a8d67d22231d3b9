export { type QueueBackend } from './backend';
export { PromptRedis, RedisAway } from './prompt-redis';
export { WakeUpQueue, type WakeUpQueueOptions } from './wake-up-queue';
