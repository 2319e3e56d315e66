import { relative } from 'node:path';
import { isThere } from '@jvs/platform/durable-fs';
import { standardDirectories } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { hasReserve } from '../reserve.ts';
import type { Finding } from './finding.ts';

/** Directories and the reserve. */
export async function checkLayout(r: Repository): Promise<Finding[]> {
  const findings: Finding[] = [];
  // The others were made when the repository was opened, unless it can only be read.
  for (const directory of standardDirectories(r.layout).filled) {
    if (await isThere(directory)) continue;
    const path = relative(r.root, directory);
    findings.push({
      category: 'layout',
      code: 'E_DESCRIPTOR_CORRUPT',
      severity: 'error',
      path,
      description: `The directory ${path}, which is never empty, is missing; restore it from a backup.`,
      repair: null,
    });
  }
  if (!(await hasReserve(r.layout))) {
    findings.push({
      category: 'reserve_missing',
      code: null,
      severity: 'info',
      path: relative(r.root, r.layout.reserve),
      description: 'The space kept back for a full disk is not there.',
      repair: 'reserve',
    });
  }
  return findings;
}
