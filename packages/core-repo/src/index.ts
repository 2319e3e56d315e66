export { CodedError, hasCode } from '@jvs/platform/errors';
export { checkEngineName } from '@jvs/snapshot-engine';
export { auditEvents } from './audit/audit-log.ts';
export type { AuditOperation, AuditRecord } from './audit/audit-record.ts';
export { exportAudit, selectEvents, type EventSelection } from './audit/select-events.ts';
export { diagnosisFailure } from './doctor/diagnosis-failure.ts';
export { type Diagnosis, doctor, type DoctorOptions } from './doctor/doctor.ts';
export type { Finding, Repair, RepairName } from './doctor/finding.ts';
export { probeFilesystem, type FilesystemProbe } from './doctor/probe-filesystem.ts';
export { abandonGc, type AbandonGcOptions } from './gc/abandon-gc.ts';
export type { GcResult } from './gc/gc-result.ts';
export type { Pin } from './gc/pin.ts';
export { listPins, pin, unpin, type PinListing, type PinOptions } from './gc/pins.ts';
export type { GcPlan } from './gc/plan.ts';
export { planGc, type PlanGcOptions, type PlanSummary } from './gc/plan-gc.ts';
export { runGc, type RunGcOptions } from './gc/run-gc.ts';
export { diff, type Diff, type DiffOptions, type PathStat } from './history/diff.ts';
export { history, wholeHistory, type HistoryEntry, type HistoryOptions } from './history/history.ts';
export { readManifest, type ManifestEntry } from './history/read-manifest.ts';
export { resolveSnapshot } from './history/resolve-snapshot.ts';
export { status, type WorktreeStatus } from './history/status.ts';
export { repositoryInfo, type RepositoryInfo } from './info.ts';
export { initRepository, type InitOptions, type InitResult } from './init-repository.ts';
export { checkName } from './names.ts';
export type { OnProgress, RepositoryEvent } from './progress.ts';
export { createRef, type CreateRefOptions } from './refs/create-ref.ts';
export { deleteRef } from './refs/delete-ref.ts';
export { listRefs } from './refs/list-refs.ts';
export type { Ref } from './refs/ref.ts';
export { findRoot, openRepository, type Caller, type Repository, type RepositoryPorts } from './repository.ts';
export { restore, type RestoreOptions } from './restore/restore.ts';
export { restoreInPlace, type RestoreInPlaceOptions } from './restore/restore-in-place.ts';
export { restorePaths, type RestoredPaths, type RestorePathsOptions } from './restore/restore-paths.ts';
export type { Restored, RestoredInPlace } from './restore/restore-result.ts';
export { createSnapshot, type SnapshotOptions } from './snapshot/create-snapshot.ts';
export type { Descriptor } from './snapshot/descriptor.ts';
export { verificationFailure } from './verify/verification-failure.ts';
export { verifyAll, type RepositoryVerification } from './verify/verify-all.ts';
export { verifyAudit, type AuditVerification } from './verify/verify-audit.ts';
export {
  verifySnapshot,
  type PathProblem,
  type SnapshotVerification,
  type VerifyOptions,
} from './verify/verify-snapshot.ts';
export { createWorktree, type CreatedWorktree, type CreateWorktreeOptions } from './worktree/create-worktree.ts';
export { fork, type Forked, type ForkOptions } from './worktree/fork.ts';
export { listWorktrees, type WorktreeListing } from './worktree/list-worktrees.ts';
export { acquireLock, lockStatus, releaseLock, renewLock, type Lease, type LockReport } from './worktree/locking.ts';
export { removeWorktree, type RemovedWorktree, type RemoveWorktreeOptions } from './worktree/remove-worktree.ts';
export { renameWorktree, type RenamedWorktree } from './worktree/rename-worktree.ts';
export { withLock, type WorkLease } from './worktree/with-lock.ts';
export { findWorktree, openWorktree, type Worktree } from './worktree/worktree.ts';
