export { TestDatabase, type TestRole } from './test-database';
