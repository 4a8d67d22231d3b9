import { factsOnly } from '@holdfast/tenancy';

factsOnly('audit.request', 'a refusal changes nothing');
factsOnly('audit.trail', 'whoever reads changes nothing');
