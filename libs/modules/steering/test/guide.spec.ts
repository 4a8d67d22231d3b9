import { readFileSync } from 'node:fs';
import { join } from 'node:path';

describe('The guide to writing a saga', () => {
  const guide = readFileSync(join(__dirname, '../../../platform/sagas/WRITING.md'), 'utf8');

  it.each(['order.saga.ts', 'order.saga.int.spec.ts'])('shows %s as it is tested', (name) => {
    expect(guide).toContain(`\`\`\`ts\n${readFileSync(join(__dirname, name), 'utf8')}\`\`\`\n`);
  });
});
