import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Caller, newId } from '@holdfast/kernel';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { TestCluster } from '@holdfast/testing';
import { HandSealer } from '../../test/hand-sealer';
import { verifyLog } from './verify-by-hand';

/** Flips a bit of a data page on the disk of a server that stands still. */
describe('A byte of a data page that was changed on disk', () => {
  it.each([
    { checksums: 'are verified by PostgreSQL', settings: {} },
    { checksums: 'are ignored', settings: { ignore_checksum_failure: 'on' } },
  ])('is found where checksums $checksums', async ({ settings }) => {
    const cluster = await TestCluster.create(settings);
    const grants = new Grants(cluster.as('holdfast_auth', 1));
    try {
      const tenants = new TenantDatabase(cluster.as('holdfast_app', 2));
      const tenantId = newId();
      const caller = async (): Promise<Caller> =>
        callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
      const ids = Array.from({ length: 40 }, () => newId());
      await tenants.transaction(await caller(), async (tx) =>
        tx.announce(
          ...ids.map((id, at) => ({
            ...{
              id,
              type: 'test.fence.painted',
              schemaVersion: 1,
              streamType: 'test.fence',
              streamId: newId(),
            },
            ...{ streamVersion: 1n, payload: JSON.stringify({ colour: `marked-${at}-end` }) },
          })),
        ),
      );
      await new HandSealer(cluster).seal(tenantId);
      expect(await verifyLog(tenants, await caller())).toMatchObject({ checked: 40, findings: [] });

      const [where] = await cluster.admin<{ path: string; directory: string; checksums: string }>(
        `select pg_relation_filepath('events.log') as path, current_setting('data_directory') as directory,
           current_setting('data_checksums') as checksums`,
      );
      expect(where?.checksums).toBe('on');
      let landed = false;
      await cluster.restart(() => {
        const file = join(where?.directory ?? '', where?.path ?? '');
        const page = readFileSync(file);
        const at = page.indexOf('marked-23-end');
        landed = at > 0;
        page[at] = (page[at] ?? 0) ^ 1;
        writeFileSync(file, page);
      });
      expect(landed).toBe(true);

      const verification = verifyLog(tenants, await caller());
      if ('ignore_checksum_failure' in settings) {
        expect((await verification).findings).toMatchObject([
          { kind: 'changed', index: 24, eventId: ids[23], fields: ['data'] },
        ]);
      } else {
        expect((await verification).findings).toMatchObject([
          { kind: 'unreadable', index: 1, eventId: ids[0] },
        ]);
      }
    } finally {
      grants.close();
      await cluster.drop();
    }
  });
});
