import type { BytePath } from '@jvs/platform/byte-path';
import type { TreeScan } from '@jvs/platform/tree';

/** Every engine name that a descriptor may carry; a name never changes meaning. */
export const ENGINE_NAMES = ['juicefs-clone', 'btrfs-snapshot', 'link-copy', 'reflink-copy', 'copy'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** What a clone did not keep. */
export type Degradation = 'acl' | 'fallback' | 'hardlink' | 'mode' | 'mtime' | 'owner' | 'sparse' | 'special' | 'xattr';

/** A part of the target that is complete and will not be touched again: time to read it. */
export interface ClonedPart {
  /** Entries of the target. One that vanished from the source in the meantime may be missing. */
  readonly paths: readonly BytePath[];
  /** Whether all below the paths is complete too; otherwise it has been or will be announced by itself. */
  readonly deep: boolean;
}

export interface CloneOptions {
  /** The entries of the source, as scanned just before. What it does not list at the root is not cloned. */
  scan: TreeScan;
  /** Aborting kills what runs; the target is then in pieces. */
  signal?: AbortSignal | undefined;
  /**
   * Called once for each part; together the parts name every cloned entry below the target once, after `reclone` also
   * the directories whose entries were replaced.
   */
  onCloned?: ((part: ClonedPart) => void) | undefined;
}

/** A way of cloning a worktree's tree. Every engine passes `describeEngine` from `@jvs/snapshot-engine/contract`. */
export interface SnapshotEngine {
  /** Written into descriptors. */
  readonly name: EngineName;
  /** What a clone costs: the same whatever the tree holds, something for each file, or all the data. */
  readonly cost: 'constant' | 'per file' | 'per byte';
  /** Whether it works on the filesystem that holds the directory `dir`. Answers false, never throws, leaves nothing. */
  probe(dir: string): Promise<boolean>;
  /**
   * Clones the directory `source` to `target`; both are absolute, and `target` must not exist. Sockets, FIFOs and
   * devices are left out, never opened. What vanishes or is replaced in the meantime may be missing: scan again and
   * compare. Returns what was lost, sorted.
   * @throws `EEXIST` for the target, `ENOSPC`, `EDQUOT`, `EIO`, `EACCES` and the like, with the path.
   */
  clone(source: string, target: string, options: CloneOptions): Promise<readonly Degradation[]>;
  /**
   * Makes these paths of an existing clone equal to the source again: changed ones are replaced, vanished ones removed.
   * `options.scan` is the newest scan. The root `''` stands for its own mode, owner and times.
   */
  reclone(
    source: string,
    target: string,
    paths: readonly BytePath[],
    options: CloneOptions,
  ): Promise<readonly Degradation[]>;
}
