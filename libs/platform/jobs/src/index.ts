export { type QueueBackend } from './backend';
export { checkQueueBackend, QueueBackendAway, QueueBackendUnfit } from './check-backend';
export { QueueDashboard, type QueueDashboardOptions } from './queue-dashboard';
export { PromptRedis, RedisAway } from './prompt-redis';
export { WakeUpQueue, type WakeUpQueueOptions } from './wake-up-queue';
