import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { JVS_BIN } from '@jvs/testkit';
import { expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../tooling/scripts/cli-docs.js', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/cli/jvs.md', import.meta.url));

test('docs/cli/jvs.md says what --help says', () => {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, '--check'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], JVS_BIN },
  });

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}, 180_000);

test('docs/cli/jvs.md has a chapter for each command of the specification', () => {
  const page = readFileSync(PAGE, 'utf8');

  const named = [
    'init',
    'info',
    'status',
    'snapshot',
    'history',
    'diff',
    'restore',
    'fork',
    'worktree create',
    'worktree list',
    'worktree path',
    'worktree rename',
    'worktree remove',
    'lock acquire',
    'lock status',
    'lock renew',
    'lock release',
    'lock exec',
    'ref create',
    'ref list',
    'ref delete',
    'verify',
    'doctor',
    'gc plan',
    'gc run',
    'gc pin',
    'gc unpin',
    'audit show',
    'audit verify',
    'audit export',
    'conformance run',
    'completion',
  ];
  for (const name of named) expect(page).toMatch(new RegExp(`^#+ jvs ${name}$`, 'm'));
});
