import { readFile, statfs } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';

/** Magic numbers of statfs(2) for filesystems whose files other hosts may change. */
const NETWORK = new Map<number, string>([
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x517b, 'smb'],
  [0x00c36400, 'ceph'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse'],
  [0x0bd00bd0, 'lustre'],
  [0x5346414f, 'afs'],
  [0x47504653, 'gpfs'],
]);
const LOCAL = new Map<number, string>([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0xca451a4e, 'bcachefs'],
]);

export interface FilesystemKind {
  /** `ext4`, `xfs`, `nfs`, …; an unknown one by its magic number in hex. */
  name: string;
  /** Whether this host alone writes to it, so that one clock stamps all its files. */
  local: boolean;
  /** Whether `syncfs` surely makes data durable. FUSE servers are not told of it. */
  honoursSyncfs: boolean;
}

/** What kind of filesystem holds `path`, by statfs(2). Of an unknown kind nothing is taken for granted. */
export async function filesystemKind(path: string): Promise<FilesystemKind> {
  const { type } = await statfs(path);
  const magic = type >>> 0;
  const network = NETWORK.get(magic);
  const name = network ?? LOCAL.get(magic) ?? `0x${magic.toString(16)}`;
  return {
    name,
    local: LOCAL.has(magic),
    honoursSyncfs: LOCAL.has(magic) || (network !== undefined && network !== 'fuse'),
  };
}

let bootId: Promise<string> | undefined;

/** Names the running kernel. Where the system does not tell, a name of this process only: then nothing is taken as equal. */
export async function readBootId(): Promise<string> {
  bootId ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => randomUUID(),
  );
  return await bootId;
}
