export { FakeClock } from './fake-clock.ts';
export {
  writeLargeRepository,
  type LargeRepository,
  type LargeRepositoryOptions,
  type LargeWorktree,
} from './large-repository.ts';
export { below, PAYLOAD_VECTORS, writePayload, type PayloadName, type PayloadVector } from './payloads.ts';
export {
  auditLog,
  auditRecords,
  readJson,
  readLog,
  repositoryAt,
  setHeartbeatBack,
  slot,
  stateLog,
  stateRecords,
  worktreeId,
  type AuditRecord,
  type Descriptor,
  type Lock,
  type RepositoryFiles,
  type StateRecord,
} from './repository-files.ts';
export { JVS_BIN, runCli, startCli, type CliOptions, type CliResult, type RunningCli } from './run-cli.ts';
export { newUser, test, type Fixtures, type SavedRepository } from './test.ts';
export { errorOf, User, type CliError } from './user.ts';
