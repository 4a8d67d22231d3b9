import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

const named = z.object({
  key: z.string().meta({ description: 'Name and id of the key of the witness.' }),
});
const example = { key: 'witness.example.com/w1+e1bf92d2' };

export const witnessAdded = eventType('audit.witness.added', {
  version: 1,
  description: 'Somebody is to cosign the checkpoints of the log. Its address stands in its row.',
  schema: named,
  example,
});

export const witnessRemoved = eventType('audit.witness.removed', {
  version: 1,
  description: 'A witness is offered nothing more. What it has cosigned stays.',
  schema: named,
  example,
});
