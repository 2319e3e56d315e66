export { auditEvents } from './audit/audit-log.ts';
export type { AuditRecord } from './audit/audit-record.ts';
export { type Diagnosis, doctor, type DoctorOptions } from './doctor/doctor.ts';
export type { Finding, Repair, RepairName } from './doctor/finding.ts';
export { history, wholeHistory, type HistoryEntry, type HistoryOptions } from './history/history.ts';
export { resolveSnapshot } from './history/resolve-snapshot.ts';
export { status, type WorktreeStatus } from './history/status.ts';
export { repositoryInfo, type RepositoryInfo } from './info.ts';
export { initRepository, type InitOptions, type InitResult } from './init-repository.ts';
export { checkName } from './names.ts';
export type { OnProgress, RepositoryEvent } from './progress.ts';
export { openRepository, type Caller, type Repository, type RepositoryPorts } from './repository.ts';
export { restore, type Restored, type RestoreOptions } from './restore/restore.ts';
export { createSnapshot, type SnapshotOptions } from './snapshot/create-snapshot.ts';
export type { Descriptor } from './snapshot/descriptor.ts';
export { verifyAll, type RepositoryVerification } from './verify/verify-all.ts';
export { verifyAudit, type AuditVerification } from './verify/verify-audit.ts';
export {
  verifySnapshot,
  type PathProblem,
  type SnapshotVerification,
  type VerifyOptions,
} from './verify/verify-snapshot.ts';
export { createWorktree, type CreatedWorktree, type CreateWorktreeOptions } from './worktree/create-worktree.ts';
export { listWorktrees, type WorktreeListing } from './worktree/list-worktrees.ts';
export { acquireLock, lockStatus, releaseLock, renewLock, type Lease, type LockReport } from './worktree/locking.ts';
export { findWorktree, openWorktree, type Worktree } from './worktree/worktree.ts';
