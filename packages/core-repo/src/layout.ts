import { join } from 'node:path';

/** Where everything of a repository lies; the only place that knows. Format: docs/specs/jvs.md, "On-disk layout". */
export interface Layout {
  readonly root: string;
  readonly control: string;
  readonly formatVersion: string;
  readonly repoId: string;
  /** A directory for each worktree, named for it. */
  readonly worktrees: string;
  readonly states: string;
  readonly snapshots: string;
  readonly descriptors: string;
  readonly manifests: string;
  readonly refs: string;
  readonly audit: string;
  readonly plans: string;
  readonly tombstones: string;
  readonly pins: string;
  /** Policies of garbage collection, by name; the user's to edit. */
  readonly retention: string;
  readonly intents: string;
  readonly probe: string;
  readonly tmp: string;
  readonly reserve: string;
  /** What can be made again from the rest. */
  readonly cache: string;
  worktreeMeta(name: string): string;
  worktreeConfig(name: string): string;
  payload(name: string): string;
  state(worktreeId: string): string;
  snapshot(id: string): string;
  unfinishedSnapshot(id: string): string;
  descriptor(id: string): string;
  manifest(id: string): string;
  ref(name: string): string;
  plan(planId: string): string;
  tombstone(id: string): string;
  pin(pinId: string): string;
  opDirectory(opId: string): string;
}

export const CONTROL_DIRECTORY = '.jvs';
export const READY_FILE = '.READY';
export const MAIN_WORKTREE = 'main';

export function layoutOf(root: string): Layout {
  const control = join(root, CONTROL_DIRECTORY);
  const at = (...parts: string[]): string => join(control, ...parts);
  return {
    root,
    control,
    formatVersion: at('format_version'),
    repoId: at('repo_id'),
    worktrees: at('worktrees'),
    states: at('state'),
    snapshots: at('snapshots'),
    descriptors: at('descriptors'),
    manifests: at('manifests'),
    refs: at('refs'),
    audit: at('audit'),
    plans: at('gc', 'plans'),
    tombstones: at('gc', 'tombstones'),
    pins: at('gc', 'pins'),
    retention: at('gc', 'retention.json'),
    intents: at('intents'),
    probe: at('locks', 'probe'),
    tmp: at('tmp'),
    reserve: at('reserve'),
    cache: at('cache'),
    worktreeMeta: (name) => at('worktrees', name),
    worktreeConfig: (name) => at('worktrees', name, 'config.json'),
    payload: (name) => (name === MAIN_WORKTREE ? join(root, MAIN_WORKTREE) : join(root, 'worktrees', name)),
    state: (worktreeId) => at('state', worktreeId),
    snapshot: (id) => at('snapshots', id),
    unfinishedSnapshot: (id) => at('snapshots', `${id}.tmp`),
    descriptor: (id) => at('descriptors', `${id}.json`),
    manifest: (id) => at('manifests', `${id}.manifest`),
    ref: (name) => at('refs', name),
    plan: (planId) => at('gc', 'plans', `${planId}.json`),
    tombstone: (id) => at('gc', 'tombstones', `${id}.json`),
    pin: (pinId) => at('gc', 'pins', `${pinId}.json`),
    opDirectory: (opId) => at('tmp', `op-${opId}`),
  };
}

/**
 * Directories that every repository has, parents first. `filled` ones are never empty, so their absence is damage; the
 * others may lack in a copy, since many tools leave out what is empty, and the runtime ones do not travel at all.
 */
export function standardDirectories(layout: Layout): { filled: string[]; portable: string[]; runtime: string[] } {
  return {
    filled: [layout.worktrees, layout.states, layout.audit],
    portable: [
      layout.snapshots,
      layout.descriptors,
      layout.manifests,
      layout.refs,
      join(layout.control, 'gc'),
      layout.plans,
      layout.tombstones,
      layout.pins,
    ],
    runtime: [layout.intents, join(layout.control, 'locks'), layout.tmp],
  };
}
