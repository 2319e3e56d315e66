import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';

import { test, type SavedRepository, type User } from '@jvs/testkit';
import { describe } from 'vitest';

/** Of every kind of file that travels, how to find one below `.jvs`. core-repo's own test damages all of them. */
const KINDS: [string, RegExp][] = [
  ['format_version', /^format_version$/],
  ['repo_id', /^repo_id$/],
  ['a configuration', /^worktrees\/main\/config\.json$/],
  ['a state record', /^state\/.+\/0{11}2\.jsonl$/],
  ['a payload', /^snapshots\/.+\/hello\.txt$/],
  ['a marker', /^snapshots\/.+\/\.READY$/],
  ['a descriptor', /^descriptors\//],
  ['a manifest', /^manifests\//],
  ['a ref', /^refs\/release\//],
  ['a pin', /^gc\/pins\//],
  ['an audit record', /^audit\/0{11}2\.jsonl$/],
];

const DAMAGES: [string, (path: string) => void][] = [
  ['one byte of', flipLastButOne],
  ['the end of', (path) => truncateSync(path, statSync(path).size - 1)],
  ['all of', (path) => rmSync(path)],
];

describe.concurrent('what changed outside of jvs', () => {
  test.for(KINDS)('%s', async ([, pattern], { saved, ada, expect }) => {
    await addNames(saved, ada);
    const path = fileLike(saved, pattern);
    const original = readFileSync(path);

    for (const [what, damage] of DAMAGES) {
      damage(path);
      const results = [];
      for (const args of [
        ['verify', '--all'],
        ['doctor', '--strict'],
      ]) {
        results.push(await ada.run(args));
        const { exitCode, stdout, stderr } = await ada.run(['--json', ...args]);
        results.push({ exitCode, stdout, stderr });
        JSON.parse(stdout);
      }
      expect(
        results.some(({ exitCode }) => exitCode === 1),
        `${what} ${path}`,
      ).toBe(true);
      for (const { exitCode, stdout, stderr } of results) {
        expect([0, 1]).toContain(exitCode);
        expect(stdout + stderr).not.toMatch(/E_INTERNAL|^ +at .+:\d+:\d+\)?$/m);
      }
      writeFileSync(path, original);
    }
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
  });
});

/** A ref and a pin, and a snapshot on top, so that the damaged records are not the newest. */
async function addNames(saved: SavedRepository, ada: User): Promise<void> {
  await ada.ok(['ref', 'create', 'release', saved.id]);
  await ada.ok(['gc', 'pin', saved.id, '--reason', 'kept']);
  await ada.ok(['snapshot', 'second']);
}

function fileLike(saved: SavedRepository, pattern: RegExp): string {
  const names = readdirSync(saved.control, { recursive: true, encoding: 'utf8' }).toSorted();
  const found = names.find((name) => pattern.test(name) && statSync(`${saved.control}/${name}`).isFile());
  if (found === undefined) throw new Error(`Nothing like ${pattern.source}`);
  return `${saved.control}/${found}`;
}

function flipLastButOne(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length - 2;
  bytes[at] = (bytes[at] ?? 0) ^ 0x04;
  writeFileSync(path, bytes);
}
