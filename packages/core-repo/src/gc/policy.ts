import { readFile } from 'node:fs/promises';
import * as z from 'zod/mini';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { filesystemKind } from '@jvs/platform/filesystem';
import { checkName } from '../names.ts';
import { NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';

const Count = z.int().check(z.nonnegative());

/**
 * What to keep: a policy of `gc/retention.json`. Strict, unlike other files that people may edit: a misspelt rule that
 * was passed over would keep nothing.
 */
export const GcPolicy = z.strictObject({
  /** `unreachable`: only what no root leads to. `all`: lineages are thinned, too. */
  scope: z.optional(z.enum(['unreachable', 'all'])),
  keep_last_n: z.optional(Count),
  keep_hourly: z.optional(Count),
  keep_daily: z.optional(Count),
  keep_weekly: z.optional(Count),
  keep_monthly: z.optional(Count),
  keep_yearly: z.optional(Count),
  keep_within_ms: z.optional(Count),
  keep_tag_prefixes: z.optional(z.array(z.string())),
  max_repo_bytes: z.optional(Count),
  min_age_ms: z.optional(Count),
});
/** A policy with nothing left open. */
export type GcPolicy = z.infer<typeof GcPolicy> & { scope: 'unreachable' | 'all'; min_age_ms: number };

const Retention = z.record(z.string(), GcPolicy);

/** `gc/retention.json` is not what it has to be. */
export class RetentionInvalidError extends CodedError {
  readonly code = 'E_DESCRIPTOR_CORRUPT';
  constructor(path: string, why: string, cause?: unknown) {
    super(`The retention policies in "${path}" ${why}`, {
      cause,
      hint: 'Correct the file; nothing is deleted until then.',
      details: { path, why },
    });
  }
}

/** Which policy, and what differs from it. Fields are as in `gc/retention.json`. */
export interface PolicyOptions {
  /** A policy by name. Default: `default`, which without `gc/retention.json` keeps whatever is reachable. */
  policy?: string | undefined;
  scope?: 'unreachable' | 'all' | undefined;
  keepLast?: number | undefined;
  keepHourly?: number | undefined;
  keepDaily?: number | undefined;
  keepWeekly?: number | undefined;
  keepMonthly?: number | undefined;
  keepYearly?: number | undefined;
  keepWithinMs?: number | undefined;
  /** Snapshots with a tag that begins so. Default: those of the policy. */
  keepTag?: readonly string[] | undefined;
  minAgeMs?: number | undefined;
}

const DEFAULT_NAME = 'default';
const DEFAULT_MIN_AGE_MS = 86_400_000;
/** What another host has just published may not be in our listings yet. */
const NETWORK_MIN_AGE_MS = 600_000;

/** @throws NotFoundError for an unknown policy, NameInvalidError, RetentionInvalidError */
export async function effectivePolicy(
  r: Repository,
  options: PolicyOptions,
): Promise<{ name: string; policy: GcPolicy }> {
  const name = options.policy ?? DEFAULT_NAME;
  checkName('policy', name);
  const named = (await readRetention(r)).get(name);
  if (named === undefined && name !== DEFAULT_NAME) {
    throw new NotFoundError('policy', name, `Policies are defined in ${r.layout.retention}.`);
  }
  const { local } = await filesystemKind(r.layout.control);
  const minAgeMs = options.minAgeMs ?? named?.min_age_ms ?? DEFAULT_MIN_AGE_MS;
  const changed: z.infer<typeof GcPolicy> = {
    ...named,
    scope: options.scope ?? named?.scope ?? 'unreachable',
    keep_last_n: options.keepLast ?? named?.keep_last_n,
    keep_hourly: options.keepHourly ?? named?.keep_hourly,
    keep_daily: options.keepDaily ?? named?.keep_daily,
    keep_weekly: options.keepWeekly ?? named?.keep_weekly,
    keep_monthly: options.keepMonthly ?? named?.keep_monthly,
    keep_yearly: options.keepYearly ?? named?.keep_yearly,
    keep_within_ms: options.keepWithinMs ?? named?.keep_within_ms,
    keep_tag_prefixes: options.keepTag === undefined ? named?.keep_tag_prefixes : [...options.keepTag],
    min_age_ms: local ? minAgeMs : Math.max(minAgeMs, NETWORK_MIN_AGE_MS),
  };
  return { name, policy: inOrder(changed) };
}

async function readRetention(r: Repository): Promise<Map<string, z.infer<typeof GcPolicy>>> {
  const path = r.layout.retention;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return new Map();
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new RetentionInvalidError(path, 'are not JSON', error);
  }
  const parsed = Retention.safeParse(json);
  if (parsed.success) return new Map(Object.entries(parsed.data));
  throw new RetentionInvalidError(path, explain(parsed.error.issues[0]));
}

function explain(issue: z.core.$ZodIssue | undefined): string {
  const where = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') return `have an unknown field "${where}.${issue.keys[0] ?? ''}"`;
  return where === '' ? 'are no object of policies by name' : `have a wrong field "${where}"`;
}

/** Only what is set, in the order of the format. */
function inOrder(policy: z.infer<typeof GcPolicy>): GcPolicy {
  const fields = Object.keys(GcPolicy.shape) as (keyof GcPolicy)[];
  const set = fields.filter((field) => policy[field] !== undefined).map((field) => [field, policy[field]]);
  return Object.fromEntries(set) as GcPolicy;
}
