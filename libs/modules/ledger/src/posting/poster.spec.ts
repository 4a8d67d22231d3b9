import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@holdfast/kernel';
import { DatabaseBusy, OutcomeUnknown, TenantContextRefused } from '@holdfast/database';
import { GrantExpired, LedgerOverloaded } from '../ledger.errors';
import { PLAIN, type Posting, type PostingResult } from './post-batch.sql';
import { Poster, type PosterLimits } from './poster';

const MINUTE_MS = 60_000;

/** Microseconds since 2000, as timestamptz_send writes them. */
const expiryOf = (expiresAtMs: number): string =>
  ((expiresAtMs - Date.UTC(2000, 0, 1)) * 1_000).toString(16).padStart(16, '0');

/** A grant in the layout of the database's, which only the database verifies. */
const grantOf = (tenantId: string, expiresAtMs: number): string =>
  `${'0'.repeat(64)}0001${tenantId.padEnd(36)}${expiryOf(expiresAtMs)}actor|*|||standard`;

const callerOf = (tenantId: string, expiresAtMs = Date.now() + MINUTE_MS): Caller => ({
  grant: grantOf(tenantId, expiresAtMs),
  tenantId,
  actor: 'actor',
  scopes: ['*'],
  plan: 'standard',
  requestId: 'request',
});

const postingOf = (id: string, caller: Caller): Posting => ({
  caller,
  id,
  idGiven: true,
  idempotencyKey: null,
  debitAccountId: 'debit',
  creditAccountId: 'credit',
  amount: 1n,
  metadata: {},
  ...PLAIN,
});

/** A database whose batches return when the test says so. */
class GatedLedger {
  readonly batches: string[][] = [];
  private readonly gates: PromiseWithResolvers<void>[] = [];
  readonly poster: Poster;

  constructor(
    limits: Partial<PosterLimits> = {},
    failing: (ids: readonly string[]) => Error | undefined = () => undefined,
  ) {
    this.poster = new Poster(async (postings) => {
      const ids = postings.map(({ id }) => id);
      const gate = Promise.withResolvers<void>();
      this.batches.push(ids);
      this.gates.push(gate);
      await gate.promise;
      const error = failing(ids);
      if (error) throw error;
      return postings.map(({ id }) => createdResult(id));
    }, limits);
  }

  /** Items by their ids; one that ends in a plus is linked with the next. */
  submit(tenantId: string, ...ids: string[]): Promise<PostingResult[]> {
    return this.submitBy(callerOf(tenantId), ...ids);
  }

  submitBy(caller: Caller, ...ids: string[]): Promise<PostingResult[]> {
    return this.poster.submit(
      caller,
      ids.map((id) => ({ ...postingOf(id, caller), terms: id.endsWith('+') ? { linked: true } : null })),
    );
  }

  /** Lets every batch return that has been sent, and those that follow, until none is left. */
  async finish(): Promise<void> {
    while (this.gates.length > 0) await this.next();
  }

  async next(): Promise<void> {
    this.gates.shift()?.resolve();
    await sleep(0);
  }
}

function createdResult(id: string): PostingResult {
  return {
    result: 'created',
    replayed: false,
    id,
    debitAccountId: '',
    creditAccountId: '',
    asset: 'EUR/2',
    amount: 1n,
    debitVersion: 1n,
    creditVersion: 1n,
    bookedAt: '',
    effectiveDate: '',
    expiresAt: null,
  };
}

describe('Poster', () => {
  it('sends the first item at once and alone, and what came meanwhile together', async () => {
    const ledger = new GatedLedger();
    const answers = ['a', 'b', 'c'].map((id) => ledger.submit('one', id));
    expect(ledger.batches).toEqual([['a']]);
    await ledger.finish();
    expect(ledger.batches).toEqual([['a'], ['b', 'c']]);
    expect((await Promise.all(answers)).flat().map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(ledger.poster.load).toEqual({ queued: 0, flights: 0 });
  });

  it('splits what is more than a batch, in order, and answers in order', async () => {
    const ledger = new GatedLedger({ batchMax: 2 });
    const answer = ledger.submit('one', 'a', 'b', 'c', 'd', 'e');
    await ledger.finish();
    expect(ledger.batches).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    expect((await answer).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('lets tenants take turns, however much one has waiting', async () => {
    const ledger = new GatedLedger({ batchMax: 1, flightsMax: 1 });
    const answers = [
      ledger.submit('big', 'a', 'b', 'c'),
      ledger.submit('small', 'x'),
      ledger.submit('other', 'y'),
    ];
    await ledger.finish();
    await Promise.all(answers);
    expect(ledger.batches.flat()).toEqual(['a', 'x', 'y', 'b', 'c']);
  });

  it('keeps one batch of a tenant and a limited number of all in flight', async () => {
    const ledger = new GatedLedger({ flightsMax: 2 });
    const answers = ['one', 'two', 'three'].flatMap((tenant) => [
      ledger.submit(tenant, tenant),
      ledger.submit(tenant, tenant),
    ]);
    expect(ledger.batches).toEqual([['one'], ['two']]);
    await ledger.finish();
    await Promise.all(answers);
    expect(ledger.batches).toEqual([['one'], ['two'], ['three', 'three'], ['one'], ['two']]);
  });

  it('refuses what does not fit into the queue, of one tenant and of all, and takes none of it', async () => {
    const ledger = new GatedLedger({ queuedPerTenantMax: 2, queuedMax: 3 });
    const taken = [ledger.submit('one', 'a'), ledger.submit('one', 'b')];
    await expect(ledger.submit('one', 'c', 'd')).rejects.toThrow(LedgerOverloaded);
    taken.push(ledger.submit('two', 'x'), ledger.submit('two', 'y'), ledger.submit('one', 'c'));
    await expect(ledger.submit('two', 'z')).rejects.toMatchObject({
      code: 'ledger.overloaded',
      retryAfterSeconds: 2,
    });
    await ledger.finish();
    await Promise.all(taken);
    expect(ledger.batches.flat().toSorted()).toEqual(['a', 'b', 'c', 'x', 'y']);
  });

  it('halves a failing batch until the culprit stands alone, and posts the others in order', async () => {
    const failure = new Error('culprit');
    const ledger = new GatedLedger({}, (ids) => (ids.includes('c') ? failure : undefined));
    const first = ledger.submit('one', 'first');
    const answers = ['a', 'b', 'c', 'd', 'e'].map((id) => ledger.submit('one', id));
    const outcomes = Promise.allSettled(answers);
    await ledger.finish();
    await first;
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(ledger.batches.slice(2)).toEqual([['a', 'b', 'c'], ['a', 'b'], ['c'], ['d', 'e']]);
  });

  it('stops halving when everything fails', async () => {
    const ledger = new GatedLedger({ failuresMax: 3 }, () => new Error('every time'));
    const outcome = Promise.allSettled([ledger.submit('one', ...'abcdefgh'.split(''))]);
    await ledger.finish();
    expect(await outcome).toMatchObject([{ status: 'rejected', reason: { message: 'every time' } }]);
    expect(ledger.batches.length).toBeLessThan(10);
  });

  it.each([new OutcomeUnknown('gone'), new DatabaseBusy('busy')])(
    'hands %s to each item and does not try again',
    async (failure) => {
      const ledger = new GatedLedger({}, (ids) => (ids.includes('a') ? failure : undefined));
      const first = ledger.submit('one', 'first');
      const outcomes = Promise.allSettled(['a', 'b'].map((id) => ledger.submit('one', id)));
      await ledger.finish();
      await first;
      expect(await outcomes).toEqual([
        { status: 'rejected', reason: failure },
        { status: 'rejected', reason: failure },
      ]);
      expect(ledger.batches).toEqual([['first'], ['a', 'b']]);
    },
  );

  it('refuses an item alone whose grant ended while it waited', async () => {
    const ledger = new GatedLedger();
    const first = ledger.submit('one', 'first');
    const brief = callerOf('one', Date.now() + 30);
    const expired = Promise.allSettled([ledger.poster.submit(brief, [postingOf('late', brief)])]);
    const other = ledger.submit('one', 'b');
    await sleep(40);
    await ledger.finish();
    expect(await expired).toEqual([{ status: 'rejected', reason: new GrantExpired() }]);
    await Promise.all([first, other]);
    expect(ledger.batches).toEqual([['first'], ['b']]);
  });

  it('refuses an item alone whose grant has ended by the clock of the database', async () => {
    const ledger = new GatedLedger({}, (ids) =>
      ids.includes('late') ? new TenantContextRefused('no valid tenant context') : undefined,
    );
    const outcomes = Promise.allSettled(['first', 'a', 'late', 'b'].map((id) => ledger.submit('one', id)));
    await ledger.finish();
    const refused = { status: 'rejected', reason: { code: 'ledger.grant_expired', kind: 'unavailable' } };
    expect(await outcomes).toMatchObject(
      [{}, {}, refused, {}].map((each) => ({ status: 'fulfilled', ...each })),
    );
  });

  it('never splits a chain over two batches', async () => {
    const ledger = new GatedLedger({ batchMax: 4 });
    const answer = ledger.submit('one', 'a', 'b+', 'c+', 'd', 'e', 'f+', 'g', 'h', 'i+', 'j');
    const longer = ledger.submit('one', 'k+', 'l+', 'm+', 'n+', 'o', 'p');
    await ledger.finish();
    expect(ledger.batches).toEqual([
      ['a', 'b+', 'c+', 'd'],
      ['e', 'f+', 'g', 'h'],
      ['i+', 'j'],
      ['k+', 'l+', 'm+', 'n+', 'o'],
      ['p'],
    ]);
    expect((await answer).map(({ id }) => id).join('')).toBe('ab+c+def+ghi+j');
    expect(await longer).toHaveLength(6);
    expect(ledger.poster.load).toEqual({ queued: 0, flights: 0 });
  });

  it('fills a batch with chains of several requests, and keeps them apart', async () => {
    const ledger = new GatedLedger();
    const answers = [ledger.submit('one', 'a'), ledger.submit('one', 'b+', 'c+'), ledger.submit('one', 'd')];
    await ledger.finish();
    await Promise.all(answers);
    expect(ledger.batches).toEqual([['a'], ['b+', 'c+', 'd']]);
  });

  it('never splits a chain when it halves, and fails it as a whole', async () => {
    const ledger = new GatedLedger({}, (ids) => (ids.includes('d+') ? new Error('culprit') : undefined));
    const first = ledger.submit('one', 'first');
    const answers = [['a', 'b'], ['c+', 'd+', 'e'], ['f']].map((ids) => ledger.submit('one', ...ids));
    const outcomes = Promise.allSettled(answers);
    await ledger.finish();
    await first;
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(ledger.batches.slice(1)).toEqual([
      ['a', 'b', 'c+', 'd+', 'e', 'f'],
      ['a', 'b'],
      ['c+', 'd+', 'e', 'f'],
      ['c+', 'd+', 'e'],
      ['f'],
    ]);
  });

  it('refuses a chain whole whose grant ended while it waited', async () => {
    const ledger = new GatedLedger();
    const first = ledger.submit('one', 'first');
    const chain = ledger.submitBy(callerOf('one', Date.now() + 30), 'a+', 'b+', 'c');
    const outcome = Promise.allSettled([chain]);
    const other = ledger.submit('one', 'd');
    await sleep(40);
    await ledger.finish();
    expect(await outcome).toEqual([{ status: 'rejected', reason: new GrantExpired() }]);
    await Promise.all([first, other]);
    expect(ledger.batches).toEqual([['first'], ['d']]);
  });

  it('takes a chain into the queue whole or not at all', async () => {
    const ledger = new GatedLedger({ queuedPerTenantMax: 3 });
    const first = ledger.submit('one', 'first');
    const waiting = ledger.submit('one', 'a', 'b');
    await expect(ledger.submit('one', 'c+', 'd')).rejects.toThrow(LedgerOverloaded);
    expect(ledger.poster.load.queued).toBe(2);
    await ledger.finish();
    await Promise.all([first, waiting]);
    expect(ledger.batches).toEqual([['first'], ['a', 'b']]);
  });

  it('lets a tenant of single items take its turn between the chains of another', async () => {
    const ledger = new GatedLedger({ batchMax: 2, flightsMax: 1 });
    const answers = [ledger.submit('big', 'a+', 'b', 'c+', 'd', 'e+', 'f'), ledger.submit('small', 'x')];
    await ledger.finish();
    await Promise.all(answers);
    expect(ledger.batches).toEqual([['a+', 'b'], ['x'], ['c+', 'd'], ['e+', 'f']]);
  });

  it('drains when it stops, also what waits for its turn, and takes no more', async () => {
    const ledger = new GatedLedger({ batchMax: 1, flightsMax: 1 });
    const answers = ['one', 'two'].map((tenant) => ledger.submit(tenant, tenant, `${tenant}+`, `${tenant}.`));
    const stopped = ledger.poster.stop();
    await expect(ledger.submit('three', 'c')).rejects.toThrow(LedgerOverloaded);
    await ledger.finish();
    await stopped;
    expect((await Promise.all(answers)).flat()).toHaveLength(6);
    expect(ledger.poster.load).toEqual({ queued: 0, flights: 0 });
  });
});
