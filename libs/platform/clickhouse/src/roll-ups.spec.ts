import { metricsText } from '@holdfast/observability';
import { RollUps } from './roll-ups';

// The alert asks for the smallest age of all pods: one that runs no roll-ups must not say 0.
it('says no age of roll-ups where none was seen', async () => {
  expect(RollUps.name).toBe('RollUps'); // What shows the age is loaded.
  const { text } = await metricsText();
  expect(text).toContain('# TYPE holdfast_telemetry_roll_up_age_seconds gauge');
  expect(text).not.toMatch(/^holdfast_telemetry_roll_up_age_seconds /m);
});
