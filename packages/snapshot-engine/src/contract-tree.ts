import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hasCode } from '@jvs/platform/errors';

/** A path below `root` whose bytes are the characters of `path`. */
export function at(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}

/** A line for each entry: path, type, mode, owner, size, time to the nanosecond, content. The naive way, as a yardstick. */
export function listTree(root: string, dir = ''): string[] {
  return readdirSync(at(root, dir), 'latin1')
    .sort()
    .flatMap((name) => {
      const path = dir === '' ? name : `${dir}/${name}`;
      const stats = lstatSync(at(root, path), { bigint: true });
      const mode = stats.isSymbolicLink() ? '-' : stats.mode.toString(8);
      const size = stats.isDirectory() ? '-' : String(stats.size);
      const facts = `${JSON.stringify(path)} ${mode} ${stats.uid}:${stats.gid} ${size} ${stats.mtimeNs}`;
      if (stats.isDirectory()) return [facts, ...listTree(root, path)];
      if (stats.isSymbolicLink()) return [`${facts} -> ${JSON.stringify(readlinkSync(at(root, path), 'latin1'))}`];
      if (!stats.isFile()) return [`${facts} special`];
      return [
        `${facts} ${createHash('sha256')
          .update(readFileSync(at(root, path)))
          .digest('hex')}`,
      ];
    });
}

const NAMES = [
  '-rf',
  ' ',
  'a b ',
  'back\\slash',
  'it\'s "quoted"',
  'line\nfeed',
  'return\r',
  'tab\t',
  '\xff\xfe',
  '\xc3\xa4',
  '*?[',
  '$(x)',
];

/** A tree with one of everything that a clone has to keep. */
export function makeTree(root: string): void {
  mkdirSync(`${root}/names`, { recursive: true });
  for (const name of [...NAMES, 'n'.repeat(255)]) {
    writeFileSync(at(root, `names/${name}`), name);
    mkdirSync(at(root, `dir ${name}`.slice(0, 255)));
    writeFileSync(at(root, `${`dir ${name}`.slice(0, 255)}/${name}`), name);
  }
  writeFileSync(`${root}/empty-file`, '');
  writeFileSync(`${root}/one-block`, Buffer.alloc(4096, 'b'));
  writeFileSync(`${root}/large`, Buffer.alloc(3 * 1024 * 1024 + 7, 'large '));
  mkdirSync(`${root}/empty-dir`);
  symlinkSync('nowhere', `${root}/dangling`);
  symlinkSync('../../../etc/passwd', `${root}/escaping`);
  symlinkSync('names', `${root}/to-dir`);
  symlinkSync(at('', '\xff').subarray(1), `${root}/to-bytes`);
  writeFileSync(`${root}/sparse`, 'begin');
  truncateSync(`${root}/sparse`, 16 * 1024 * 1024);
  mkdirSync(`${root}/modes`);
  for (const mode of [0o0, 0o444, 0o600, 0o755, 0o2755, 0o4755, 0o6711]) {
    writeFileSync(`${root}/modes/file-${mode.toString(8)}`, 'x');
    chmodSync(`${root}/modes/file-${mode.toString(8)}`, mode);
  }
  for (const mode of [0o555, 0o700, 0o1777, 0o2750]) {
    mkdirSync(`${root}/modes/dir-${mode.toString(8)}`);
    writeFileSync(`${root}/modes/dir-${mode.toString(8)}/inside`, 'x');
    chmodSync(`${root}/modes/dir-${mode.toString(8)}`, mode);
  }
  giveAway(`${root}/one-block`);
  giveAway(`${root}/empty-dir`);
  addAttributes(`${root}/large`);
  addAttributes(`${root}/names`);
  addAttributes(root);
  for (const path of ['large', 'names', 'empty-dir', '.'])
    utimesSync(`${root}/${path}`, 1_000_000_000.5, 1_234_567_890.25);
}

/** Root can give files to others; anyone else has only own ones. */
function giveAway(path: string): void {
  try {
    chownSync(path, 1234, 5678);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error;
  }
}

/** Read and write for the owner, read for user 1234, nothing for others; in the kernel's form, so that no `setfacl` is needed. */
const ACL =
  '0x02000000' + '01000600ffffffff' + '02000400d2040000' + '04000400ffffffff' + '10000400ffffffff' + '20000000ffffffff';

function addAttributes(path: string): void {
  execFileSync('setfattr', ['-n', 'user.colour', '-v', 'blue', path]);
  execFileSync('setfattr', ['-n', 'system.posix_acl_access', '-v', ACL, path]);
}

/** All extended attributes of a path, ACLs among them, as text. */
export function attributesOf(path: string): string {
  return execFileSync('getfattr', ['--absolute-names', '-d', '-m', '-', '-e', 'hex', path], { encoding: 'latin1' })
    .split('\n')
    .filter((line) => line.includes('='))
    .sort()
    .join('\n');
}
