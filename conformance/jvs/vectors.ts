import { Buffer } from 'node:buffer';

import { PAYLOAD_VECTORS } from '@jvs/testkit';

import { sha256 } from './canonical.ts';

/** The files of docs/specs/jvs.md, "Test vectors", typed in by hand: none of these bytes comes from our own programs. */
const WORKTREE_ID = '5b0c8f3e-2d41-4c57-9e0a-7f6b1d2c3a49';
const MAKER = 'build7:ada:4711:1771578700';
const event = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;

export const VECTOR_REPO_ID = '9d1f6c1e-8a52-4a0b-b6a7-3e5d2c1b0a98';

export const CONFIG = {
  worktree_id: WORKTREE_ID,
  isolation: 'exclusive',
  created_at: '2026-02-20T09:12:00.000Z',
  base_snapshot_id: null,
  label: null,
};
export const CONFIG_SHA256 = 'f847c140e3e22377d7c9bb5e2550bf6eafc9faf4c93668e83ff0a7736f1f4763';

export const D1 = {
  snapshot_id: '1771578748123-0a1b2c3d',
  worktree_id: WORKTREE_ID,
  worktree_name: 'main',
  parent_snapshot_id: null as string | null,
  created_at: '2026-02-20T09:12:28.123Z',
  created_by: MAKER,
  note: '',
  tags: [] as string[],
  engine: 'copy',
  degradations: [] as string[],
  consistency_level: 'quiesced',
  fencing_token: 2,
  audit_anchor: 'ea7b3ec212fca76c6c5f1b2f2575cf953220f5c1b87ac4927436418899556176',
  payload_root_hash: { algo: 'sha256', value: PAYLOAD_VECTORS.M1.rootHash },
  payload_stats: PAYLOAD_VECTORS.M1.stats,
  descriptor_checksum: { algo: 'sha256', value: 'bf7bc9657c2dca61169daa4aaf62cdfef01c739e9800fa0d46fc0eeb144cd20e' },
  integrity_state: 'verified',
};

export const D2 = {
  ...D1,
  snapshot_id: '1771578750000-deadbeef',
  parent_snapshot_id: D1.snapshot_id,
  created_at: '2026-02-20T09:12:30.000Z',
  note: 'R&D <v2> \u2028 "q" \\ \t\u0001\u007f \u00e9 \u{1f600}',
  tags: ['nightly', 'v2'],
  engine: 'reflink-copy',
  degradations: ['hardlink', 'xattr'],
  consistency_level: 'best_effort',
  audit_anchor: '36ac77492916f2de76a8c288a3578fdb65d06c4ebd3f5b79cc18a698be539f87',
  payload_root_hash: { algo: 'sha256', value: PAYLOAD_VECTORS.M3.rootHash },
  payload_stats: PAYLOAD_VECTORS.M3.stats,
  descriptor_checksum: { algo: 'sha256', value: '2d0c8bfd30af3d87041e093ecd3bb90216d3fe38d38113b1a7de40b79e588647' },
};

const LOCK = {
  lock_id: 'c0ffee00-0000-4000-8000-00000000000a',
  holder_id: MAKER,
  holder_nonce_hash: '99d0cf27782ab4b6a3b7de56ebda3ff49127531bc057287f8f842e068f3b325e',
  boot_id: '11111111-2222-4333-8444-555555555555',
  session_id: 'ada@build7',
  purpose: 'nightly run',
  fencing_token: 2,
  acquire_seq: 1,
  created_at: '2026-02-20T09:12:10.000Z',
  lease_duration_ms: 300000,
  renew_interval_ms: 10000,
  max_clock_skew_ms: 2000,
  steal_grace_ms: 1000,
};

const STATE_1 = {
  seq: 1,
  kind: 'create',
  actor: 'build7:ada:4700:1771578600',
  at: '2026-02-20T09:12:00.000Z',
  event_id: event(1),
  head_snapshot_id: null as string | null,
  lock: null as typeof LOCK | null,
  pending: null,
  reason: null,
  worktree: 'main',
  worktree_id: WORKTREE_ID,
  prev_hash: '',
  record_hash: 'f5807fc2c6ee1fac451ccd086b75c8e86a10bb09619c4ce93a45ee8e66cc20c1',
};
const STATE_2 = {
  ...STATE_1,
  seq: 2,
  kind: 'acquire',
  actor: MAKER,
  at: '2026-02-20T09:12:10.000Z',
  event_id: event(2),
  lock: LOCK,
  prev_hash: STATE_1.record_hash,
  record_hash: 'fde22f22ad0b829a86d0966b2cbaab0de5595d8185ab00f6b2a571b2822dbe2e',
};
const STATE_3 = {
  ...STATE_2,
  seq: 3,
  kind: 'head',
  at: '2026-02-20T09:12:28.140Z',
  event_id: event(3),
  head_snapshot_id: D1.snapshot_id,
  prev_hash: STATE_2.record_hash,
  record_hash: 'd472eb76f45c037c228d67b45e718bb032e21799daa2c7848966761d76e0926f',
};
export const STATE_RECORDS = [STATE_1, STATE_2, STATE_3];

const AUDIT_3 = {
  seq: 3,
  event_id: event(3),
  timestamp: '2026-02-20T09:12:28.150Z',
  operation: 'snapshot',
  actor: MAKER,
  target: D1.snapshot_id,
  snapshot_id: D1.snapshot_id,
  condemned_plan: null,
  fencing_token: 2,
  session_id: 'ada@build7',
  reason: null,
  details: { descriptor_checksum: D1.descriptor_checksum.value, worktree: 'main' },
  prev_hash: D1.audit_anchor,
  record_hash: D2.audit_anchor,
};
const AUDIT_2 = {
  ...AUDIT_3,
  seq: 2,
  event_id: event(2),
  timestamp: '2026-02-20T09:12:10.000Z',
  operation: 'lock_acquire',
  target: 'main',
  snapshot_id: null,
  details: { lease_duration_ms: 300000, purpose: 'nightly run' },
  prev_hash: '2ca7142bd706de37213690f71c8bdf82241efa3126dbced5de7e9304c04136e9',
  record_hash: AUDIT_3.prev_hash,
};
const AUDIT_1 = {
  ...AUDIT_2,
  seq: 1,
  event_id: event(1),
  timestamp: '2026-02-20T09:12:00.000Z',
  operation: 'repo_init',
  actor: 'build7:ada:4700:1771578600',
  details: { object_sha256: CONFIG_SHA256, repo_id: VECTOR_REPO_ID },
  fencing_token: null,
  session_id: null,
  prev_hash: '',
  record_hash: AUDIT_2.prev_hash,
};
export const AUDIT_RECORDS = [AUDIT_1, AUDIT_2, AUDIT_3];

/** M2's manifest, line by line. */
export const M2_MANIFEST = `dir 2750 - - a
file 0444 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 a-b
file 0644 1 559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd a.txt
file 0600 1 594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06 a/z
dir 0755 - - bin
file 4755 18 299001868fb8c02fd431c336c6d058f5558c5dff5b5af5e6fe04b870a6a9cbba bin/run.sh
dir 1777 - - empty
symlink - - 00a80c5821edea2ebf676056aa4c9a24e57379ef52cefecb2ccffaaf4cc362c9 link
`;

const plain = (path: string, content: string, mode = '0644') =>
  `file ${mode} ${content.length} ${sha256(content)} ${path}\n`;

export const M1_MANIFEST = plain('hello.txt', 'hello\n');

/** M3's manifest as bytes: one character for each, escapes as in the file. */
export const M3_MANIFEST = Buffer.from(
  [
    plain(' lead and trail ', '5'),
    plain('back\\\\nslash', '2'),
    plain('back\\\\slash', '1'),
    plain('cr\\rhere', '4'),
    plain('e\xcc\x81.txt', 'nfd'),
    plain('new\\nline', '3'),
    'symlink - - 1725f57cf02306b1ccb4baef6a09cbd8a6e1ce9df4fd7c23c59f08d24d01f837 odd\n',
    'dir 0700 - - sub\n',
    plain('sub/.READY', 'x'),
    plain('\xc3\xa9.txt', 'nfc'),
    plain('\xef\xbd\x9e', 'U+FF5E'),
    plain('\xf0\x9f\x98\x80', 'U+1F600'),
    plain('\xff\xfe', 'not UTF-8', '0640'),
  ].join(''),
  'latin1',
);
