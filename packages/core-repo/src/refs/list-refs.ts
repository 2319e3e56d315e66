import type { Repository } from '../repository.ts';
import { finishRecentDeletions } from './interrupted-deletions.ts';
import { readRefs, type Ref } from './ref.ts';

/** All refs by name. @throws DescriptorCorruptError */
export async function listRefs(r: Repository): Promise<Ref[]> {
  await finishRecentDeletions(r);
  return (await readRefs(r)).map(({ ref }) => ref);
}
