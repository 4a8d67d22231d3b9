import { saga } from '@holdfast/sagas';
import { announcement, eventType } from '@holdfast/tenancy';
import { z } from 'zod';

const about = z.object({ sku: z.string() });
const example = { sku: 'chair' };
const reserved = eventType('orders.stock.reserved', {
  version: 1,
  description: 'The warehouse keeps something for an order.',
  schema: about,
  example,
});
const released = eventType('orders.stock.released', {
  version: 1,
  description: 'The warehouse keeps it no longer.',
  schema: about,
  example,
});
const accepted = eventType('orders.order.accepted', {
  version: 1,
  description: 'The order was accepted.',
  schema: about,
  example,
});

/** An order: the stock of the warehouse, another tenant, is kept for it before it is accepted. */
export const order = saga({
  name: 'orders.order',
  input: z.strictObject({ warehouseId: z.guid(), sku: z.string() }),
  deadlineSeconds: 3_600,
})
  .compensatable('reserve', {
    tenant: ({ warehouseId }) => warehouseId,
    run: (tx, { key, input: { sku } }) =>
      tx.announce(announcement(reserved, { id: key, version: 1n }, { sku })),
    compensate: (tx, { key, input: { sku } }) =>
      tx.announce(announcement(released, { id: key, version: 2n }, { sku })),
  })
  .pivot('accept', {
    run: (tx, { key, input: { sku } }) =>
      tx.announce(announcement(accepted, { id: key, version: 1n }, { sku })),
  })
  .build();
