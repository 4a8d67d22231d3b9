export {
  type Outcome,
  type TaskKindOfWork,
  type TaskRun,
  TaskRunner,
  type TaskRunnerOptions,
} from './task-runner';
export { deleteOtherTasks, deleteTask, insertTask, type TaskKind } from './tasks.sql';
