/** What the first record of a log says that replaces a broken one, so that its event follows from the record alone. */
export interface StateReset {
  oldWorktreeId: string;
  /** SHA-256 of the configuration that named the broken log. */
  oldConfigSha256: string;
}

const REASON = /^reset_state of ([0-9a-f-]{36}) with configuration ([0-9a-f]{64})$/;

export function resetReason({ oldWorktreeId, oldConfigSha256 }: StateReset): string {
  return `reset_state of ${oldWorktreeId} with configuration ${oldConfigSha256}`;
}

/** Undefined for any other reason. */
export function parseResetReason(reason: string | null): StateReset | undefined {
  const [, oldWorktreeId, oldConfigSha256] = REASON.exec(reason ?? '') ?? [];
  return oldWorktreeId === undefined || oldConfigSha256 === undefined ? undefined : { oldWorktreeId, oldConfigSha256 };
}
