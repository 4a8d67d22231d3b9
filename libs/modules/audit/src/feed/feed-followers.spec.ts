import { FeedFollowers } from './feed-followers';

describe('Places of followers', () => {
  it('are left to tenants that have none once half are taken', async () => {
    const followers = new FeedFollowers();
    const never = (): Promise<undefined> => Promise.resolve(undefined);
    const follow = (tenant: string): Promise<undefined> => followers.follow(tenant, 30_000, never);
    const waiting: Promise<undefined>[] = [];
    for (const tenant of ['a', 'b', 'c', 'd', 'e'])
      for (let follower = 0; follower < 10; follower += 1) waiting.push(follow(tenant));
    await expect(follow('a')).rejects.toMatchObject({ code: 'audit.too_many_followers' });
    waiting.push(follow('f'));
    await expect(follow('f')).rejects.toMatchObject({ code: 'audit.too_many_followers' });
    followers.onModuleDestroy();
    await Promise.all(waiting);
  });
});
