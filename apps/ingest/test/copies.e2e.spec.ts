import { outcomeText, say, Scene } from './scene';

// Guards promise 7: SDKs send again what was not answered in time, so each event may come several times.
describe('Events that come three times', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  it('are counted once, also when the store is killed meanwhile', async () => {
    const tenant = scene.tenant();
    const ingest = await scene.start();
    const load = scene.send([tenant], { seconds: 4, copies: 3, perSecond: 90 });
    setTimeout(() => void scene.store.kill().then(() => scene.store.resume()), 1_500);
    const outcome = await load.outcome;
    await ingest.settled(60_000);
    const distinct = [...new Set(outcome.acknowledged)].toSorted();
    say(
      `three times each: ${outcomeText(outcome)}, ${distinct.length} of ${outcome.acknowledged.length} distinct`,
    );
    // The fault has landed.
    expect(outcome.acknowledged.length).toBeGreaterThan(distinct.length * 2.5);
    expect(await scene.store.idsOf(load.run)).toEqual(distinct);
  });
});
