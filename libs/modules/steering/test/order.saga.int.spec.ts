import { newId } from '@holdfast/kernel';
import { stepKey } from '@holdfast/sagas';
import { drillSaga, TestDatabase } from '@holdfast/testing';
import { order } from './order.saga';

it('An order is whole or undone, whatever happens to it', async () => {
  const database = await TestDatabase.create();
  const arrange = () => Promise.resolve({ tenantId: newId(), input: { warehouseId: newId(), sku: 'chair' } });
  const check = async ({ id, state }: { id: string; state: string }): Promise<void> => {
    const happened = await database.admin<{ type: string }>(
      "select type from events.log where stream_id = any ($1) and type like 'orders.%' order by seq",
      [order.steps.map(({ name }) => stepKey(id, name))],
    );
    const [kept, gone, taken] = ['orders.stock.reserved', 'orders.stock.released', 'orders.order.accepted'];
    const allowed = state === 'completed' ? [`${kept},${taken}`] : ['', `${kept},${gone}`];
    expect(allowed).toContain(happened.map(({ type }) => type).join());
  };
  expect(await drillSaga({ database, saga: order, arrange, check })).toBeGreaterThan(50);
  await database.drop();
}, 120_000);
