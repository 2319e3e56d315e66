import { canonicalDigest, type JsonObject } from './canonical-json.ts';
import { CodedError } from './errors.ts';

/** A record of an exclusive log: numbered, chained to its predecessor, hashed. Format: docs/specs/jvs.md. */
export interface LogRecord extends JsonObject {
  readonly seq: number;
  /** `record_hash` of record seq − 1; `''` in record 1. */
  readonly prev_hash: string;
  /** SHA-256 of the canonical bytes of the record without this key. */
  readonly record_hash: string;
}

/** A record that cannot be right: unreadable, misnumbered, wrongly hashed, or not linked to its predecessor. */
export class LogBrokenError extends CodedError {
  readonly code = 'E_AUDIT_CHAIN_BROKEN';
  constructor(log: string, seq: number, why: string) {
    super(`Record ${seq} of the ${log} log ${why}`, {
      hint: 'Run "jvs doctor --strict" to see the extent of the damage.',
      details: { log, seq },
    });
  }
}

/** The record that `line` holds as number `seq` of the log `log`. @throws LogBrokenError */
export function parseRecord(log: string, seq: number, line: string): LogRecord {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    throw new LogBrokenError(log, seq, 'is not JSON');
  }
  if (!isRecord(record)) throw new LogBrokenError(log, seq, 'lacks its number or hashes');
  if (record.seq !== seq) throw new LogBrokenError(log, seq, `says that it is record ${record.seq}`);
  if (hashOf(log, record) !== record.record_hash) {
    throw new LogBrokenError(log, seq, 'does not hash to its record_hash');
  }
  return record;
}

/** @throws LogBrokenError unless `record` follows `previous` (undefined: is the first one) */
export function checkLink(log: string, previous: LogRecord | undefined, record: LogRecord): void {
  if (record.prev_hash === (previous?.record_hash ?? '')) return;
  throw new LogBrokenError(log, record.seq, 'does not follow the record before it');
}

/** JSON can hold what has no canonical form: a number beyond all bounds, half a surrogate pair. */
function hashOf(log: string, record: LogRecord): string {
  try {
    return canonicalDigest(record, 'record_hash');
  } catch {
    throw new LogBrokenError(log, record.seq, 'has no canonical form to hash');
  }
}

function isRecord(value: unknown): value is LogRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'seq' in value &&
    Number.isSafeInteger(value.seq) &&
    'prev_hash' in value &&
    typeof value.prev_hash === 'string' &&
    'record_hash' in value &&
    typeof value.record_hash === 'string'
  );
}
