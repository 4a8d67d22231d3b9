import { factsOnly } from '@holdfast/tenancy';

factsOnly(
  'delivery.consumer',
  'how far a group has read is no state of the tenant, and moves with each delivery',
);
factsOnly(
  'delivery.parked_key',
  'what waits to be delivered again is no state of the tenant; a release says who let it go',
);
