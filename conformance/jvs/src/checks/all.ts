import type { Check } from '../check.ts';
import { secondAcquire } from './01-second-acquire.ts';
import { failedRenewal } from './02-failed-renewal.ts';
import { frozenHolder } from './03-frozen-holder.ts';
import { quiescedSnapshot } from './04-quiesced-snapshot.ts';
import { bestEffort } from './05-best-effort.ts';
import { inPlaceWithoutLock } from './06-in-place-without-lock.ts';
import { traversalInNames } from './07-traversal-in-names.ts';
import { editedDescriptor } from './08-edited-descriptor.ts';
import { editedPayload } from './09-edited-payload.ts';
import { crashLeftovers } from './10-crash-leftovers.ts';
import { migratedCopy } from './11-migrated-copy.ts';
import { wrongPlan } from './12-wrong-plan.ts';
import { interruptedGc } from './13-interrupted-gc.ts';
import { auditRecordsOfCommands } from './14-audit-records.ts';
import { auditChain } from './15-audit-chain.ts';
import { newerFormat } from './16-newer-format.ts';
import { renameLocked } from './17-rename-locked.ts';
import { snapshotIds } from './18-snapshot-ids.ts';
import { samePayload } from './19-same-payload.ts';
import { refs } from './20-refs.ts';
import { headOrphan } from './21-head-orphan.ts';
import { refTarget } from './22-ref-target.ts';
import { concurrentStealers } from './23-concurrent-stealers.ts';
import { descriptorChecksum } from './24-descriptor-checksum.ts';
import { nestedDirectory } from './25-nested-directory.ts';
import { noControlFiles } from './26-no-control-files.ts';
import { init } from './27-init.ts';
import { worktreeRemove } from './28-worktree-remove.ts';
import { migrationCopy } from './29-migration-copy.ts';

/** All of them, in the order of the table. */
export const CHECKS: readonly Check[] = [
  secondAcquire,
  failedRenewal,
  frozenHolder,
  quiescedSnapshot,
  bestEffort,
  inPlaceWithoutLock,
  traversalInNames,
  editedDescriptor,
  editedPayload,
  crashLeftovers,
  migratedCopy,
  wrongPlan,
  interruptedGc,
  auditRecordsOfCommands,
  auditChain,
  newerFormat,
  renameLocked,
  snapshotIds,
  samePayload,
  refs,
  headOrphan,
  refTarget,
  concurrentStealers,
  descriptorChecksum,
  nestedDirectory,
  noControlFiles,
  init,
  worktreeRemove,
  migrationCopy,
];
