import { UsageError, type GlobalArgs } from '@jvs/cli-kit';

export interface LockArgs extends GlobalArgs {
  worktree: string | undefined;
  session: string | undefined;
}

export interface AcquireArgs extends LockArgs {
  purpose: string | undefined;
  'lease-ms': number | undefined;
  wait: number;
}

export const lockOptions = {
  session: { type: 'string', describe: 'act in this session (default: JVS_SESSION, or user@host)' },
  worktree: { type: 'string', describe: 'the worktree, where it is not the current one' },
} as const;

/** What every way of taking the lock understands. */
export const acquireOptions = {
  purpose: { type: 'string', describe: 'what for; others see it' },
  'lease-ms': { type: 'number', describe: 'how long it lasts without renewal (default 300000)' },
  wait: { type: 'number', default: 0, describe: 'keep trying for so many ms' },
  ...lockOptions,
} as const;

/** @throws UsageError */
export function checkAcquire({ 'lease-ms': lease, wait }: Pick<AcquireArgs, 'lease-ms' | 'wait'>): true {
  const isLease = lease === undefined || (Number.isInteger(lease) && lease >= 1000 && lease <= 86_400_000);
  if (!isLease) throw new UsageError('--lease-ms is a whole number from 1000 to 86400000');
  if (!Number.isInteger(wait) || wait < 0) throw new UsageError('--wait is a number of ms, 0 or more');
  return true;
}
