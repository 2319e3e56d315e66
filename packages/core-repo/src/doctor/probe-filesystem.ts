import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { deleteTree } from '@jvs/platform/durable-fs';
import { scanTree, withTreePool } from '@jvs/platform/tree';
import { chooseEngine, type EngineName, type SnapshotEngine } from '@jvs/snapshot-engine';
import type { Repository } from '../repository.ts';

/** How snapshots are made where the repository lies. */
export interface FilesystemProbe {
  engine: EngineName;
  /** Why this one, as a sentence. */
  reason: string;
  /** What a snapshot keeps of the payload, and what it does not. */
  keeps: string[];
  loses: string[];
  /** What a snapshot costs: the same whatever the payload holds, something for each file, or all the data. */
  cost: SnapshotEngine['cost'];
  /** Measured on a thousand small files, microseconds. */
  us_per_file: number;
}

const FILES = 1000;
const FILE_BYTES = 1024;
const FILES_A_DIRECTORY = 100;

/**
 * Chooses an engine as a snapshot would, and lets it clone a thousand small files.
 * @throws EngineUnavailableError, and Node's errors where nothing can be written
 */
export async function probeFilesystem(
  r: Repository,
  { engine: requested, signal }: { engine?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<FilesystemProbe> {
  const { engine, reason } = await chooseEngine(r.layout.tmp, { requested });
  const directory = join(r.layout.tmp, randomUUID());
  try {
    const source = join(directory, 'source');
    await writeFiles(source);
    const microseconds = await timeClone(engine, source, join(directory, 'clone'), signal);
    const { keeps, loses } = traitsOf(engine.name);
    const { name, cost } = engine;
    return { engine: name, reason, keeps, loses, cost, us_per_file: Math.round(microseconds / FILES) };
  } finally {
    await deleteTree(directory);
  }
}

async function writeFiles(source: string): Promise<void> {
  for (let file = 0; file < FILES; file += 1) {
    const directory = join(source, String(Math.floor(file / FILES_A_DIRECTORY)));
    if (file % FILES_A_DIRECTORY === 0) await mkdir(directory, { recursive: true });
    await writeFile(join(directory, String(file)), Buffer.alloc(FILE_BYTES, file % 256));
  }
}

async function timeClone(
  engine: SnapshotEngine,
  source: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  return await withTreePool(async (pool) => {
    const scan = await scanTree(pool, source, { signal });
    const before = performance.now();
    await engine.clone(source, target, { scan, signal });
    return (performance.now() - before) * 1000;
  });
}

const ALWAYS = ['mode', 'symlinks', 'empty directories'];

/** By the table of docs/specs/jvs.md, "Engines". Owners can only be given away by root. */
function traitsOf(engine: EngineName): { keeps: string[]; loses: string[] } {
  const isRoot = userInfo().uid === 0;
  const owners = { keeps: isRoot ? ['owner'] : [], loses: isRoot ? [] : ['owner'] };
  switch (engine) {
    case 'juicefs-clone':
      return { keeps: [...ALWAYS, 'mtime', 'owner', 'xattr', 'sparse'], loses: ['acl', 'hardlink', 'special'] };
    case 'btrfs-snapshot':
      return { keeps: [...ALWAYS, 'mtime', 'owner', 'xattr', 'acl', 'hardlink', 'sparse'], loses: ['special'] };
    case 'link-copy':
    case 'reflink-copy':
      return {
        keeps: [...ALWAYS, 'mtime to the µs', ...owners.keeps, 'xattr and acl where the filesystem has them', 'sparse'],
        loses: [...owners.loses, 'hardlink', 'special'],
      };
    case 'copy':
      return {
        keeps: [...ALWAYS, 'mtime to the µs', ...owners.keeps, 'xattr and acl where the filesystem has them'],
        loses: [...owners.loses, 'hardlink', 'sparse', 'special'],
      };
  }
}
