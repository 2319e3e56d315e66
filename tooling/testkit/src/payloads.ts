import { Buffer } from 'node:buffer';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';

/** An entry of a test payload. The path is text, or bytes where no text would give them. */
type Entry =
  | { path: string | Buffer; kind: 'file'; mode: number; content: string }
  | { path: string | Buffer; kind: 'dir'; mode: number }
  | { path: string | Buffer; kind: 'symlink'; target: string | Buffer };

export type PayloadName = 'M0' | 'M1' | 'M2' | 'M3';

/** What the specification says about a payload: docs/specs/jvs.md, "Test vectors". */
export interface PayloadVector {
  manifestBytes: number;
  rootHash: string;
  stats: { files: number; dirs: number; symlinks: number; bytes: number };
}

export const PAYLOAD_VECTORS: Record<PayloadName, PayloadVector> = {
  M0: {
    manifestBytes: 0,
    rootHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    stats: { files: 0, dirs: 0, symlinks: 0, bytes: 0 },
  },
  M1: {
    manifestBytes: 87,
    rootHash: '4fcd65009e7c51534a99831022cae92078bc336b245f29f9e490ad73f8312bf6',
    stats: { files: 1, dirs: 0, symlinks: 0, bytes: 6 },
  },
  M2: {
    manifestBytes: 467,
    rootHash: '5b58f52a698d7fbdad39a8fd580e9f39f408a806b7b38a66e674e8777540ab1c',
    stats: { files: 4, dirs: 3, symlinks: 1, bytes: 20 },
  },
  M3: {
    manifestBytes: 1044,
    rootHash: '113c1778abeb269123bef3ad4615dd95d865113b5e796d5f794729c96774e0a2',
    stats: { files: 11, dirs: 1, symlinks: 1, bytes: 34 },
  },
};

const PAYLOADS: Record<PayloadName, Entry[]> = {
  M0: [],
  M1: [file('hello.txt', 'hello\n')],
  M2: [
    directory('a', 0o2750),
    file('a/z', 'z', 0o600),
    file('a-b', '', 0o444),
    file('a.txt', 'A'),
    directory('bin', 0o755),
    file('bin/run.sh', '#!/bin/sh\necho hi\n', 0o4755),
    directory('empty', 0o1777),
    { path: 'link', kind: 'symlink', target: 'bin/run.sh' },
  ],
  M3: [
    file(' lead and trail ', '5'),
    file('back\\slash', '1'),
    file('back\\nslash', '2'),
    file('new\nline', '3'),
    file('cr\rhere', '4'),
    file('e\u0301.txt', 'nfd'),
    file('\u00e9.txt', 'nfc'),
    file('\uff5e', 'U+FF5E'),
    file('\u{1f600}', 'U+1F600'),
    file(Buffer.from([0xff, 0xfe]), 'not UTF-8', 0o640),
    { path: 'odd', kind: 'symlink', target: Buffer.from([0xff, 0x0a, 0x5c]) },
    directory('sub', 0o700),
    file('sub/.READY', 'x'),
  ],
};

/** Writes one of the specification's payloads into `root`, a directory that exists. The `.READY` of M2 is left out. */
export function writePayload(root: string, name: PayloadName): void {
  const later: (() => void)[] = [];
  for (const entry of PAYLOADS[name]) {
    const path = below(root, entry.path);
    if (entry.kind === 'symlink') {
      symlinkSync(entry.target, path);
      continue;
    }
    if (entry.kind === 'dir') mkdirSync(path);
    else writeFileSync(path, entry.content);
    later.unshift(() => chmodSync(path, entry.mode));
  }
  for (const setMode of later) setMode();
}

/** `path`, which may be bytes, below `root`. */
export function below(root: string, path: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path)]);
}

function file(path: string | Buffer, content: string, mode = 0o644): Entry {
  return { path, kind: 'file', mode, content };
}

function directory(path: string, mode: number): Entry {
  return { path, kind: 'dir', mode };
}
