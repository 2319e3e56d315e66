import { relative } from 'node:path';
import { isThere } from '@jvs/platform/durable-fs';
import { standardDirectories } from '../layout.ts';
import type { Repository } from '../repository.ts';
import type { Finding } from './finding.ts';

/** Directories and the reserve. */
export async function checkLayout(r: Repository): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { portable } = standardDirectories(r.layout);
  for (const directory of portable) {
    if (await isThere(directory)) continue;
    findings.push({
      category: 'layout',
      code: 'E_DESCRIPTOR_CORRUPT',
      severity: 'error',
      path: relative(r.root, directory),
      description: 'A directory that every repository has is missing; restore it from a backup.',
      repair: null,
    });
  }
  if (!(await isThere(r.layout.reserve))) {
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
