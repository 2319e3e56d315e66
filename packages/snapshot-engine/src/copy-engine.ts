import { tryProgram } from '@jvs/platform/run-program';
import { cloneWithCp, recloneWithCp } from './clone-with-cp.ts';
import type { SnapshotEngine } from './snapshot-engine.ts';

/** Every byte read and written: works wherever GNU cp and tar do. */
export const copyEngine: SnapshotEngine = {
  name: 'copy',
  cost: 'per byte',
  probe: hasGnuTools,
  clone: (source, target, options) => cloneWithCp('never', source, target, options),
  reclone: (source, target, paths, options) => recloneWithCp('never', source, target, paths, options),
};

/** Other programs of those names know no such options. */
const TOOLS = [
  ['cp', '--reflink=never', '--version'],
  ['tar', '--warning=no-timestamp', '--version'],
  ['xargs', '-0', '-x', '--version'],
] as const;

async function hasGnuTools(dir: string): Promise<boolean> {
  try {
    const results = await Promise.all(TOOLS.map(([name, ...args]) => tryProgram(name, args, { cwd: dir })));
    return results.every(({ status }) => status === 0);
  } catch {
    return false;
  }
}
