export {
  acquireLock,
  LockConflictError,
  LockRequestError,
  requireLock,
  WorktreeRemovedError,
  type AcquireOptions,
} from './acquire-lock.ts';
export {
  checkFencing,
  FencingMismatchError,
  LockExpiredError,
  LockNotHeldError,
  type HeldLock,
} from './check-fencing.ts';
export { StateHomeError } from './credentials.ts';
export { cutText, isCut } from './cut-text.ts';
export { filesystemNowIfKnown, type LeaseState } from './lease-clock.ts';
export { LOCK_DEFAULTS, LockState, SessionId } from './lock-state.ts';
export { lockStatus, type LockStatus } from './lock-status.ts';
export { ReasonMissingError, releaseAbandoned, releaseLock, type ReleaseOptions } from './release-lock.ts';
export { keepLock, renewLock, type KeptLock } from './renew-lock.ts';
export { transitionProblem } from './state-transition.ts';
export { ClockSkewError, findEvidence } from './take-over.ts';
export {
  appendState,
  nextState,
  parseStateRecord,
  PendingOperation,
  readState,
  StateRecord,
  type LockSite,
  type StateChange,
  type StateKind,
} from './worktree-state.ts';
