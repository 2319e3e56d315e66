import type { Repository } from '../repository.ts';
import { findRef } from './ref.ts';

/** The snapshot that a ref names; undefined when there is no such ref. @throws DescriptorCorruptError */
export async function readRef(r: Repository, name: string): Promise<string | undefined> {
  return (await findRef(r, name))?.ref.snapshot_id;
}
