import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalDigest } from '@jvs/platform/canonical-json';
import { hasCode } from '@jvs/platform/errors';
import type { LogRecord } from '@jvs/platform/exclusive-log';

/**
 * The records in the files of a log that prove themselves, by number, whatever became of those between them: for repairs
 * of a log that cannot be read as a whole. A segment outweighs slots, as for readers.
 */
export async function salvageRecords(directory: string): Promise<LogRecord[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith('.jsonl'));
  const isSlot = (name: string): boolean => /^\d/.test(name);
  const records = new Map<number, LogRecord>();
  for (const name of [...files.filter(isSlot), ...files.filter((file) => !isSlot(file))]) {
    for (const line of (await readFile(join(directory, name), 'utf8')).split('\n')) {
      const record = soundRecord(line);
      if (record !== undefined) records.set(record.seq, record);
    }
  }
  return [...records.values()].sort((a, b) => a.seq - b.seq);
}

function soundRecord(line: string): LogRecord | undefined {
  try {
    const record = JSON.parse(line) as LogRecord;
    return Number.isSafeInteger(record.seq) && canonicalDigest(record, 'record_hash') === record.record_hash
      ? record
      : undefined;
  } catch {
    return undefined;
  }
}
