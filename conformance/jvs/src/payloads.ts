import { Buffer } from 'node:buffer';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import type { CheckContext } from './check-context.ts';

/** What the format's test vectors say about a payload. */
export interface PayloadVector {
  rootHash: string;
  manifestBytes: number;
  stats: { files: number; dirs: number; symlinks: number; bytes: number };
}

export const EMPTY_ROOT_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export const PAYLOAD_VECTORS = {
  M1: {
    rootHash: '4fcd65009e7c51534a99831022cae92078bc336b245f29f9e490ad73f8312bf6',
    manifestBytes: 87,
    stats: { files: 1, dirs: 0, symlinks: 0, bytes: 6 },
  },
  M2: {
    rootHash: '5b58f52a698d7fbdad39a8fd580e9f39f408a806b7b38a66e674e8777540ab1c',
    manifestBytes: 467,
    stats: { files: 4, dirs: 3, symlinks: 1, bytes: 20 },
  },
  M3: {
    rootHash: '113c1778abeb269123bef3ad4615dd95d865113b5e796d5f794729c96774e0a2',
    manifestBytes: 1044,
    stats: { files: 11, dirs: 1, symlinks: 1, bytes: 34 },
  },
} satisfies Record<string, PayloadVector>;

type Name = string | Buffer;
type Entry = readonly [name: Name, mode: number, content: string] | readonly [name: Name, target: Name];

/** A file has a mode and a content, a directory a mode and the content `/`, a symlink a target. */
const ENTRIES: Record<keyof typeof PAYLOAD_VECTORS, readonly Entry[]> = {
  M1: [['hello.txt', 0o644, 'hello\n']],
  M2: [
    ['a', 0o2750, '/'],
    ['a/z', 0o600, 'z'],
    ['a-b', 0o444, ''],
    ['a.txt', 0o644, 'A'],
    ['bin', 0o755, '/'],
    ['bin/run.sh', 0o4755, '#!/bin/sh\necho hi\n'],
    ['empty', 0o1777, '/'],
    ['link', 'bin/run.sh'],
  ],
  M3: [
    [' lead and trail ', 0o644, '5'],
    ['back\\slash', 0o644, '1'],
    ['back\\nslash', 0o644, '2'],
    ['new\nline', 0o644, '3'],
    ['cr\rhere', 0o644, '4'],
    ['e\u0301.txt', 0o644, 'nfd'],
    ['\u00e9.txt', 0o644, 'nfc'],
    ['\uff5e', 0o644, 'U+FF5E'],
    ['\u{1f600}', 0o644, 'U+1F600'],
    [Buffer.from([0xff, 0xfe]), 0o640, 'not UTF-8'],
    ['odd', Buffer.from([0xff, 0x0a, 0x5c])],
    ['sub', 0o700, '/'],
    ['sub/.READY', 0o644, 'x'],
  ],
};

/** Writes a payload of the test vectors into an empty directory; `reverse` makes its entries in another order. */
export async function writePayload(
  c: CheckContext,
  root: string,
  name: keyof typeof PAYLOAD_VECTORS,
  { reverse = false }: { reverse?: boolean } = {},
): Promise<void> {
  c.remark(`write payload ${name} of the test vectors into ${root.replace(c.dir, '$D')}`);
  const entries = ENTRIES[name].map((entry) => ({ entry, path: below(root, entry[0]) }));
  const isDirectory = ({ entry }: { entry: Entry }): boolean => entry[2] === '/';
  for (const { path } of entries.filter(isDirectory)) await mkdir(path);
  const others = entries.filter((each) => !isDirectory(each));
  for (const { entry, path } of reverse ? others.toReversed() : others) {
    if (entry.length === 2) await symlink(entry[1], path);
    else await writeFile(path, entry[2]);
  }
  for (const { entry, path } of entries.toReversed()) if (entry.length === 3) await chmod(path, entry[1]);
}

function below(root: string, name: Name): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)]);
}
