import { WebhookHousekeeper } from './deliveries/webhook-housekeeper';
import { WebhooksConsumer } from './deliveries/webhooks.listener';
import { WebhookSender, type WebhookSenderOptions } from './sending/webhook-sender';

/** All that a worker does for webhooks: the group that queues events, the sender, and who tidies up. */
export class WebhookDelivery {
  /** To be listed among the consumers of the process; what it queues, this process's sender is told of. */
  readonly consumer: WebhooksConsumer;
  private readonly sender: WebhookSender;
  private readonly housekeeper: WebhookHousekeeper;

  constructor(options: WebhookSenderOptions) {
    this.sender = new WebhookSender(options);
    this.housekeeper = new WebhookHousekeeper(options);
    this.consumer = new WebhooksConsumer((tenantId) => this.sender.hint(tenantId));
  }

  /** Begins to send and to tidy up. */
  start(): void {
    this.sender.start();
    this.housekeeper.start();
  }

  /** Takes nothing more and gives what is under way a few seconds to end; what does not is sent again by others. */
  async stop(): Promise<void> {
    await Promise.all([this.sender.stop(), this.housekeeper.stop()]);
  }
}
