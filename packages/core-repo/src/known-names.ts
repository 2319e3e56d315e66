import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutOf, type Layout } from './layout.ts';
import { findRoot } from './repository.ts';

export type KnownKind = 'snapshot' | 'worktree' | 'ref' | 'pin' | 'plan' | 'tag' | 'policy';

/** A name that somebody could type, and what it stands for, in a few words. */
export interface KnownName {
  name: string;
  about: string;
}

/** So many of the newest snapshots are told by their notes, and give their tags. */
const READ = 100;

/**
 * The names of a kind in the repository that holds the directory `from`, those that begin with `start`: for shells that
 * complete a line while it is typed. So it is quick and only looks: no lock, no write, nothing is checked, and what is
 * damaged or not there is left out. Snapshots and what belongs to them come newest first, the rest by name.
 */
export async function knownNames(from: string, kind: KnownKind, start = ''): Promise<KnownName[]> {
  const root = await findRoot(from);
  return root === undefined ? [] : await LISTS[kind](layoutOf(root), start);
}

const LISTS: Record<KnownKind, (layout: Layout, start: string) => Promise<KnownName[]>> = {
  snapshot: async (layout, start) => {
    const ids = (await snapshotIds(layout)).filter((id) => id.startsWith(start));
    const read = await Promise.all(ids.slice(0, READ).map((id) => readFacts(layout.descriptor(id))));
    return ids.map((id, index) => ({ name: id, about: `${timeOf(id)}  ${textIn(read[index], 'note')}`.trimEnd() }));
  },
  tag: async (layout, start) => {
    const ids = (await snapshotIds(layout)).slice(0, READ);
    const read = await Promise.all(ids.map((id) => readFacts(layout.descriptor(id))));
    const latest = new Map<string, string>();
    for (const [index, facts] of read.entries()) {
      for (const tag of Array.isArray(facts?.['tags']) ? facts['tags'].map(String) : []) {
        if (!latest.has(tag) && tag.startsWith(start)) latest.set(tag, ids[index] ?? '');
      }
    }
    return [...latest].map(([name, id]) => ({ name, about: `of ${id}` }));
  },
  worktree: async (layout, start) =>
    await described(await names(layout.worktrees, '', start), async (name) => {
      const facts = await readFacts(layout.worktreeConfig(name));
      return facts === undefined ? undefined : textIn(facts, 'label');
    }),
  ref: async (layout, start) =>
    await described(await names(layout.refs, '', start), async (name) => {
      const [file] = await names(layout.ref(name), '.json');
      const facts = file === undefined ? undefined : await readFacts(join(layout.ref(name), `${file}.json`));
      return facts === undefined ? undefined : `${textIn(facts, 'snapshot_id')}  ${textIn(facts, 'note')}`.trimEnd();
    }),
  pin: async (layout, start) =>
    await described(await names(layout.pins, '.json', start), async (id) => {
      const facts = await readFacts(layout.pin(id));
      return facts === undefined ? undefined : `${textIn(facts, 'snapshot_id')}  ${textIn(facts, 'reason')}`.trimEnd();
    }),
  plan: async (layout, start) =>
    await described(await names(layout.plans, '.json', start), async (id) => {
      const facts = await readFacts(layout.plan(id));
      const count = Array.isArray(facts?.['to_delete']) ? facts['to_delete'].length : 0;
      return facts === undefined ? undefined : `${textIn(facts, 'created_at').slice(0, 16)}  ${count} to delete`;
    }),
  policy: async (layout, start) => {
    const policies = Object.keys((await readFacts(layout.retention)) ?? {});
    return policies.filter((name) => name.startsWith(start)).map((name) => ({ name, about: '' }));
  },
};

/** Newest first. One whose publication is under way or was cut short is not offered. */
async function snapshotIds(layout: Layout): Promise<string[]> {
  const announced = new Set((await names(layout.intents)).map((file) => file.split('.', 1)[0]));
  return (await names(layout.descriptors, '.json')).filter((id) => !announced.has(id)).toReversed();
}

/** The id's own time, as history shows it. */
function timeOf(id: string): string {
  const at = new Date(Number(id.slice(0, 13)));
  return Number.isNaN(at.getTime()) ? '' : at.toISOString().slice(0, 16).replace('T', ' ');
}

async function names(directory: string, end = '', start = ''): Promise<string[]> {
  const found = await readdir(directory).catch(() => []);
  return found
    .filter((name) => name.endsWith(end) && name.startsWith(start) && !name.startsWith('.'))
    .map((name) => name.slice(0, name.length - end.length))
    .toSorted();
}

async function described(
  found: readonly string[],
  describe: (name: string) => Promise<string | undefined>,
): Promise<KnownName[]> {
  const abouts = await Promise.all(found.map(describe));
  return found.flatMap((name, index) => {
    const about = abouts[index];
    return about === undefined ? [] : [{ name, about }];
  });
}

async function readFacts(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function textIn(facts: Record<string, unknown> | undefined, key: string): string {
  const value = facts?.[key];
  return typeof value === 'string' ? value : '';
}
