import { expectPaid, paymentTraffic } from '../paid';
import type { Row } from './row';

/** Of payments at once: some are under way at whichever instant the fault comes. */
const LINES = 4;

/** The same row while tenants of their own pay each other and a worker delivers and takes up, both on the same wire. */
export function paying(row: Row): Row {
  return {
    ...row,
    strike: async (scene, random) => {
      const { stage, traffic } = scene;
      const worker = stage.startWorker();
      try {
        const payments = await paymentTraffic(stage.apis);
        traffic.accompany(payments);
        payments.start(LINES);
        const landed = await row.strike(scene, random);
        await traffic.stop();
        const { journal } = payments.clients;
        // Made, or told to come again: nobody was left without an answer.
        expect(journal.filter(({ answer: { status } }) => status !== 202 && status !== 503)).toEqual([]);
        const refused = journal.filter(({ answer }) => answer.status === 503).length;
        await payments.settle();
        const paid = await expectPaid(payments, stage.database.adminUrl);
        expect(await worker.signal('SIGTERM')).toMatchObject({ code: 0 });
        return `${landed}; ${paid}, ${refused} of them told to come again`;
      } finally {
        if (!worker.isOver) await worker.signal('SIGKILL');
      }
    },
  };
}
