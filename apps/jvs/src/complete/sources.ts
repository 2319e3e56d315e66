import type { Candidate, Sources } from '@jvs/cli-kit';
import type { KnownKind } from '@jvs/core-repo/known-names';

const HEADS: readonly Candidate[] = [
  { word: 'HEAD', about: 'the newest of the worktree' },
  { word: 'HEAD~1', about: 'the one before' },
];

/** What shells can complete besides commands and flags: names in the repository that the working directory is in. */
export const sources: Sources = {
  snapshot: async (typed) => {
    const snapshots = [...(await known('ref', typed)), ...(await known('snapshot', typed))];
    const isSomewhere = snapshots.length > 0 || (await known('snapshot', '')).length > 0;
    return isSomewhere ? [...HEADS, ...snapshots] : [];
  },
  worktree: async (typed) => await known('worktree', typed),
  ref: async (typed) => await known('ref', typed),
  pin: async (typed) => await known('pin', typed),
  plan: async (typed) => await known('plan', typed),
  policy: async (typed) => await known('policy', typed),
  tag: async (typed) => await known('tag', typed),
};

async function known(kind: KnownKind, typed: string): Promise<Candidate[]> {
  // The whole library would take longer to load than all the rest of an answer.
  const { knownNames } = await import('@jvs/core-repo/known-names');
  return (await knownNames(process.cwd(), kind, typed)).map(({ name, about }) => ({ word: name, about }));
}
