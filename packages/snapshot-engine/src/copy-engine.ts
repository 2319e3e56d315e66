import { cloneWithCp, recloneWithCp } from './clone-with-cp.ts';
import { runTool } from './run-tool.ts';
import type { SnapshotEngine } from './snapshot-engine.ts';

/** Every byte read and written: works wherever GNU cp does. */
export const copyEngine: SnapshotEngine = {
  name: 'copy',
  cost: 'per byte',
  probe: hasGnuCp,
  clone: (source, target, options) => cloneWithCp('never', source, target, options),
  reclone: (source, target, paths, options) => recloneWithCp('never', source, target, paths, options),
};

/** Other programs of that name know no `--reflink`. */
async function hasGnuCp(dir: string): Promise<boolean> {
  try {
    const { status } = await runTool(['cp', '--reflink=never', '--version'], { cwd: dir });
    return status === 0;
  } catch {
    return false;
  }
}
