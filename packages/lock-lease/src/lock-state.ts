import * as z from 'zod/mini';

/** No control characters: the id is shown on terminals and compared as text. */
export const SessionId = z.string().check(z.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,256}$/u));

/** The lock in a worktree's state record. Format: docs/specs/jvs.md, "Worktree state". */
export const LockState = z.strictObject({
  /** The number of this acquisition, from 1. */
  acquire_seq: z.int().check(z.positive()),
  /** Names the kernel that the holder runs on. */
  boot_id: z.string(),
  created_at: z.string(),
  /** Number of the record that gave the lock: grows at every change of holder, for ever. */
  fencing_token: z.int().check(z.positive()),
  /** `host:user:pid:start_time` of the process that acquired. */
  holder_id: z.string().check(z.minLength(1)),
  /** SHA-256 of the secret that the holder keeps outside the repository. */
  holder_nonce_hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  lease_duration_ms: z.int().check(z.minimum(1000), z.maximum(86_400_000)),
  lock_id: z.uuid(),
  max_clock_skew_ms: z.int().check(z.nonnegative()),
  purpose: z.nullable(z.string()),
  renew_interval_ms: z.int().check(z.positive()),
  session_id: SessionId,
  steal_grace_ms: z.int().check(z.nonnegative()),
});
export type LockState = z.infer<typeof LockState>;

/** Defaults of the format; a lock carries the ones it was made with. */
export const LOCK_DEFAULTS = {
  leaseDurationMs: 300_000,
  maxClockSkewMs: 2000,
  stealGraceMs: 1000,
  renewIntervalMs: (leaseDurationMs: number): number => Math.min(10_000, Math.floor(leaseDurationMs / 3)),
} as const;
