import { canonicalJson } from '@jvs/platform/canonical-json';
import { LogBrokenError } from '@jvs/platform/exclusive-log';
import type { Repository } from '../repository.ts';
import { auditBackwards, auditEvents, auditLog } from './audit-log.ts';
import type { AuditOperation, AuditRecord } from './audit-record.ts';

export interface EventSelection {
  /** Only the newest so many of those that fit. Default: all. */
  limit?: number | undefined;
  /** Only events at or after this time, ms since 1970. */
  sinceMs?: number | undefined;
  operation?: AuditOperation | undefined;
}

/** Clocks of several hosts may be apart, so that records are not quite in the order of their times. */
const DISORDER_MS = 3_600_000;

/**
 * Events, oldest first. With `limit` the log is read from its newest record back, and no further than needed; what was
 * read before a broken record is yielded before the failure.
 * @throws LogBrokenError
 */
export async function* selectEvents(r: Repository, selection: EventSelection = {}): AsyncGenerator<AuditRecord> {
  const { limit, sinceMs = -Infinity, operation } = selection;
  const fits = (event: AuditRecord): boolean =>
    (operation === undefined || event.operation === operation) && Date.parse(event.timestamp) >= sinceMs;
  if (limit === undefined) {
    for await (const event of auditEvents(r)) if (fits(event)) yield event;
    await refuseGap(r);
    return;
  }
  const newest: AuditRecord[] = [];
  let failure: Error | undefined;
  try {
    if (limit > 0) await collectNewest(r, limit, sinceMs - DISORDER_MS, fits, newest);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    failure = error;
  }
  yield* newest.reverse();
  if (failure !== undefined) throw failure;
  await refuseGap(r);
}

/** What lies behind a missing record is not told, so that nobody takes what is told for all. */
async function refuseGap(r: Repository): Promise<void> {
  const gap = await auditLog(r).gap();
  if (gap !== undefined) throw new LogBrokenError('audit', gap, 'is missing');
}

async function collectNewest(
  r: Repository,
  limit: number,
  endMs: number,
  fits: (event: AuditRecord) => boolean,
  found: AuditRecord[],
): Promise<void> {
  for await (const event of auditBackwards(r)) {
    if (fits(event)) found.push(event);
    if (found.length === limit || Date.parse(event.timestamp) < endMs) return;
  }
}

/** Every record as the canonical line that its hash is about, each with its LF, oldest first. @throws LogBrokenError */
export async function* exportAudit(r: Repository): AsyncGenerator<string> {
  for await (const record of auditLog(r).records()) yield `${canonicalJson(record)}\n`;
  await refuseGap(r);
}
