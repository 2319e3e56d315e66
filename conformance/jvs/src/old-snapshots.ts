import { ageRepository } from './age-repository.ts';
import type { CheckContext, Scene } from './check-context.ts';
import { expectThat } from './expectations.ts';
import type { User } from './user.ts';

/** A gc plan, as far as checks look at it. */
export interface Plan {
  plan_id: string;
  candidate_count: number;
  protected_by_ref: number;
  to_delete: string[];
}

/** Three snapshots of main, a month old, and nobody holds the lock. `--scope all` may delete all but the head. */
export async function repositoryWithOldSnapshots(
  c: CheckContext,
): Promise<Scene & { head: string; /** Sorted. */ old: string[] }> {
  const scene = await c.savedRepository();
  const { repo, ada } = scene;
  const ids = [scene.id];
  for (const name of ['second', 'third']) {
    await c.write(`${repo.main}/${name}.txt`, `${name}\n`);
    const { snapshot_id: id } = await ada.json<{ snapshot_id: string }>('snapshot', name);
    ids.push(id);
  }
  await ada.ok('lock', 'release');
  ageRepository(c, repo);
  const head = ids.pop();
  expectThat(head !== undefined, 'There must be a head');
  return { ...scene, head, old: ids.toSorted() };
}

/** A plan to delete what is not protected by more than its lineage or its age. */
export async function planOfOld(user: User): Promise<Plan> {
  return await user.json<Plan>('gc', 'plan', '--scope', 'all', '--min-age-ms', '0');
}
