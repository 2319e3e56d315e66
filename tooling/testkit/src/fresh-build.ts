import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const checked = new Set<string>();

/** Throws when `bin`, built from this workspace, is missing or older than its sources: tests would judge another program. */
export function requireFreshBuild(bin: string): void {
  if (checked.has(bin)) return;
  if (!existsSync(bin)) throw new Error(`${bin} has not been built; run "npm run build"`);
  const builtMs = statSync(bin).mtimeMs;
  const newer = sourceFolders(bin).flatMap((folder) => filesChangedSince(folder, builtMs));
  if (newer.length > 0) throw new Error(`${bin} is older than ${newer[0]}; run "npm run build"`);
  checked.add(bin);
}

function sourceFolders(bin: string): string[] {
  const packages = readdirSync(join(ROOT, 'packages')).map((name) => join(ROOT, 'packages', name, 'src'));
  const kit = join(ROOT, 'conformance', 'jvs', 'src');
  return [...packages, kit, join(dirname(bin), '..', 'src')].filter((folder) => existsSync(folder));
}

function filesChangedSince(folder: string, sinceMs: number): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).mtimeMs > sinceMs);
}
