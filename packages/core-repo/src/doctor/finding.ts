/** Repairs that `--repair-runtime` makes, in this order. None of them deletes a complete snapshot or anything of the user's. */
export const RUNTIME_REPAIRS = [
  'clean_locks',
  'settle',
  'clean_intents',
  'clean_tmp',
  'rebuild_index',
  'rebuild_manifest',
  'audit_backfill',
  'reserve',
] as const;

/** Repairs that decide something, and so must be asked for by name. */
export const EXPLICIT_REPAIRS = ['advance_head', 'drop_orphan', 'log_repair', 'audit_repair', 'reset_state'] as const;
export type RepairName = (typeof RUNTIME_REPAIRS)[number] | (typeof EXPLICIT_REPAIRS)[number];

/** Something that doctor noticed. */
export interface Finding {
  category: string;
  /** The error class that a command would meet, or null. */
  code: `E_${string}` | null;
  severity: 'info' | 'warning' | 'error' | 'critical';
  /** The file or directory it is about, relative to the repository, or null. */
  path: string | null;
  /** What happened, what is at risk, and where no repair mends it, what to do. */
  description: string;
  /** What would mend it, or null. */
  repair: RepairName | null;
}

/** Something that doctor did, or with a dry run would do. */
export interface Repair {
  repair: RepairName;
  description: string;
}

export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity === 'info' || severity === 'warning');
}
