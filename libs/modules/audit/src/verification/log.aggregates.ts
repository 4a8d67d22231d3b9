import { factsOnly } from '@holdfast/tenancy';

factsOnly('audit.log', 'what was found is about the log itself, and no state of the tenant');
