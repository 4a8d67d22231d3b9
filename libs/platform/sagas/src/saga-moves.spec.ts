import { LASTING_ATTEMPTS_MAX } from './saga';
import { retrySeconds } from './saga-moves';

describe('Attempts of a step that has to be done', () => {
  const sum = (): number => {
    let seconds = 0;
    for (let attempt = 1; attempt < LASTING_ATTEMPTS_MAX; attempt += 1) seconds += retrySeconds(attempt);
    return seconds;
  };

  it('outlast an outage of an hour whatever chance says, and end within two and a half', () => {
    const chance = jest.spyOn(Math, 'random');
    const lasting = [0, 0.999_999].map((drawn) => {
      chance.mockReturnValue(drawn);
      return sum();
    });
    chance.mockRestore();
    expect(lasting[0]).toBeGreaterThan(70 * 60);
    expect(lasting[1]).toBeLessThan(150 * 60);
  });
});
