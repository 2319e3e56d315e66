import { readdirSync, writeFileSync } from 'node:fs';

import { auditRecords, stateRecords, test, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

describe('human output', () => {
  test('init', async ({ dir, ada }) => {
    expect(await ada.ok(['init', 'fresh'])).toBe(
      `Initialized JVS repository in ${dir}/fresh\n  Main worktree: ${dir}/fresh/main\n`,
    );
  });

  test('history: one line each, newest first, no header', async ({ saved, ada }) => {
    await ada.ok(['snapshot', 'second line\nnot shown', '--tag', 'nightly', '--tag', 'v2']);
    await ada.ok(['snapshot', '--consistency', 'best_effort']);

    const lines = (await ada.ok(['history'])).split('\n');

    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\d{13}-[0-9a-f]{8} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}\(no note\) .*\[best_effort\]/);
    expect(lines[1]).toMatch(/^\d{13}-[0-9a-f]{8} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}second line .*\[nightly\] ?\[v2\]/);
    expect(lines[2]).toMatch(new RegExp(`^${saved.id} {2}\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d {2}first$`));
    expect(lines[3]).toBe('');
  });

  test('history without snapshots', async ({ repo, ada }) => {
    expect(await ada.ok(['history'])).toBe('No snapshots yet.\n');
    expect(await ada.ok(['history', '--json'])).toBe('[]\n');
    expect(readdirSync(`${repo.control}/descriptors`)).toEqual([]);
  });

  test('snapshot, lock, verify, doctor, worktree, audit', async ({ saved, ada }) => {
    expect(await ada.ok(['snapshot'])).toMatch(/^Created snapshot \d{13}-[0-9a-f]{8}$/m);
    expect(await ada.ok(['lock', 'renew'])).toMatch(/^Lock renewed, expires: \d{4}-/m);
    expect(await ada.ok(['lock', 'release'])).toMatch(/^Lock released on worktree 'main'$/m);
    expect(await ada.ok(['lock', 'acquire'])).toMatch(/^Lock acquired on worktree 'main'$/m);
    expect(await ada.ok(['verify', saved.id])).toMatch(new RegExp(`^${saved.id} {2}OK$`, 'm'));
    expect(await ada.ok(['doctor'])).toMatch(/^Repository is healthy\.$/m);
    expect(await ada.ok(['worktree', 'create', 'x'])).toContain(`Created worktree 'x' at ${saved.root}/worktrees/x`);
    expect(await ada.ok(['worktree', 'path', 'x'])).toBe(`${saved.root}/worktrees/x\n`);
    expect(await ada.ok(['worktree', 'list'])).toMatch(
      /^main {2}\d{13}-[0-9a-f]{8} {2}exclusive {2}held\nx {2,}\(none\) {2,}exclusive {2}free\n$/,
    );
    expect(await ada.ok(['restore', saved.id, '--name', 'y'])).toContain(
      `Restored snapshot ${saved.id} to new worktree 'y'`,
    );
    expect(await ada.ok(['audit', 'verify'])).toMatch(/^Audit chain OK: \d+ records$/m);
    expect(await ada.ok(['status'])).toMatch(/^Worktree: main$/m);
    expect(await ada.ok(['info'])).toMatch(new RegExp(`^Repository: ${saved.root}$`, 'm'));
  });
});

describe('--json has the documented fields', () => {
  const fields: [string[], string][] = [
    [
      ['info'],
      'format_version repo_id repo_root snapshot_engine default_isolation default_consistency lease_duration_ms ' +
        'renew_interval_ms max_clock_skew_ms steal_grace_ms total_snapshots total_worktrees',
    ],
    [
      ['status'],
      'worktree head_snapshot_id lock_state mine pending clean from to added removed modified mode_changed ' +
        'type_changed totals',
    ],
    [['lock', 'status'], 'state lock expires_at mine'],
    [['lock', 'renew'], 'lock expires_at'],
    [['lock', 'release'], 'worktree released'],
    [['verify'], 'checksum_valid payload_hash_valid tamper_detected severity snapshots refs chains'],
    [['verify', 'HEAD'], 'checksum_valid payload_hash_valid tamper_detected severity snapshot_id paths'],
    [['doctor'], 'healthy findings repairs kept'],
    [['audit', 'verify'], 'valid count head'],
    [['worktree', 'create', 'x'], 'name path config'],
    [['worktree', 'path'], 'name path'],
    [['restore', 'HEAD', '--name', 'y'], 'mode snapshot_id worktree path content'],
  ];

  test.for(fields)('%j', async ([args, names], { saved, ada }) => {
    const document = await ada.json<Record<string, unknown>>(args);

    expect(Object.keys(document)).toEqual(expect.arrayContaining(names.split(' ')));
    expect(saved.id).toBeTruthy();
  });

  test('lock acquire', async ({ repo, ada }) => {
    const document = await ada.json<Record<string, unknown>>(['lock', 'acquire']);

    expect(Object.keys(document)).toEqual(expect.arrayContaining(['lock', 'expires_at', 'state']));
    expect(JSON.stringify(document)).not.toContain('holder_nonce_hash');
    expect(stateRecords(repo)).toHaveLength(2);
  });

  test('info: what is, and the defaults of locks', async ({ saved, ada }) => {
    expect(await ada.json(['info'])).toMatchObject({
      format_version: 1,
      repo_root: saved.root,
      default_isolation: 'exclusive',
      default_consistency: 'quiesced',
      lease_duration_ms: 300_000,
      renew_interval_ms: 10_000,
      max_clock_skew_ms: 2000,
      steal_grace_ms: 1000,
      total_snapshots: 1,
      total_worktrees: 1,
    });
  });

  test('worktree list: an array', async ({ saved, ada }) => {
    const [main] = await ada.json<Record<string, unknown>[]>(['worktree', 'list']);

    expect(main).toMatchObject({ name: 'main', path: saved.main, head_snapshot_id: saved.id, lock_state: 'held' });
    expect(Object.keys(main ?? {})).toEqual(expect.arrayContaining(['config', 'pending']));
  });

  test('snapshot and history: descriptors, as on disk', async ({ saved, ada }) => {
    const made = await ada.json<Descriptor>(['snapshot', 'second']);
    const history = await ada.json<(Descriptor & { risk_labels: string[] })[]>(['history']);

    expect(history.map(({ snapshot_id }) => snapshot_id)).toEqual([made.snapshot_id, saved.id]);
    expect(history[0]).toEqual({ ...made, risk_labels: [] });
  });

  test('documents are pretty-printed and end in one newline', async ({ saved, ada }) => {
    for (const args of [['info'], ['history'], ['verify', saved.id]]) {
      const out = await ada.ok([...args, '--json']);
      expect(out).toBe(`${JSON.stringify(JSON.parse(out), null, 2)}\n`);
    }
  });
});

describe('text of users', () => {
  const forged = 'a\n     9  2026-01-01T00:00:00.000Z  snapshot         main  root@host\r\u001b[8mb\u001b[31m';

  test('cannot forge a line, hide one or colour it', async ({ saved, ada, bob }) => {
    await bob.ok(['lock', 'release', '--force', '--reason', forged]);
    await ada.ok(['lock', 'acquire', '--purpose', forged]);
    await ada.ok(['ref', 'create', 'r', saved.id, '--note', forged]);
    await ada.ok(['gc', 'pin', saved.id, '--reason', forged]);
    await ada.ok(['snapshot', forged.replace('\n', '')]);
    const shown: [string[], number][] = [
      [['audit', 'show'], auditRecords(saved).length],
      [['lock', 'status'], 8],
      [['ref', 'list'], 1],
      [['gc', 'pin', '--list'], 1],
      [['history'], 2],
    ];

    for (const [args, lines] of shown) {
      const text = await ada.ok(args);
      expect({ args, lines: text.trimEnd().split('\n').length }).toEqual({ args, lines });
      // oxlint-disable-next-line no-control-regex
      expect(text).not.toMatch(/[\u001b\r]/);
      expect(text).toContain('\\x1b[8mb');
    }
  });
});

describe('notes and filters', () => {
  test('a note comes from the argument, a file, or stdin', async ({ dir, saved, ada }) => {
    writeFileSync(`${dir}/note.txt`, 'from a file\nsecond line\n');

    const argument = await ada.json<Descriptor>(['snapshot', 'R&D <v2> "q" \\ \t \u00e9 \u{1f600}']);
    const file = await ada.json<Descriptor>(['snapshot', '-F', `${dir}/note.txt`]);
    const stdin = await ada.json<Descriptor>(['snapshot', '-'], { input: 'from stdin\n' });

    expect(argument.note).toBe('R&D <v2> "q" \\ \t \u00e9 \u{1f600}');
    expect(file.note).toMatch(/^from a file\nsecond line\n?$/);
    expect(stdin.note).toMatch(/^from stdin\n?$/);
    expect(argument.parent_snapshot_id).toBe(saved.id);
  });

  test('history -n, --grep, --tag, --all', async ({ saved, ada }) => {
    await ada.ok(['snapshot', 'second', '--tag', 'v2']);
    await ada.ok(['snapshot', 'third']);
    await ada.ok(['worktree', 'create', 'side', '--from', saved.id]);
    await ada.ok(['lock', 'acquire', '--worktree', 'side']);
    await ada.ok(['snapshot', 'sideways', '--worktree', 'side']);
    const notes = async (...args: string[]) =>
      (await ada.json<Descriptor[]>(['history', ...args])).map(({ note }) => note);

    expect(await notes()).toEqual(['third', 'second', 'first']);
    expect(await notes('-n', '2')).toEqual(['third', 'second']);
    expect(await notes('--grep', '^sec')).toEqual(['second']);
    expect(await notes('--tag', 'v2')).toEqual(['second']);
    expect(await notes('--worktree', 'side')).toEqual(['sideways', 'first']);
    expect((await notes('--all')).toSorted()).toEqual(['first', 'second', 'sideways', 'third']);
  });

  test('audit show -n, --operation, --since', async ({ saved, ada }) => {
    const operations = async (...args: string[]) =>
      (await ada.json<{ operation: string }[]>(['audit', 'show', ...args])).map(({ operation }) => operation);

    expect((await operations()).toSorted()).toEqual(['lock_acquire', 'repo_init', 'snapshot']);
    expect(await operations('-n', '1')).toEqual(['snapshot']);
    expect(await operations('--operation', 'lock_acquire')).toEqual(['lock_acquire']);
    expect(await operations('--since', '2999-01-01T00:00:00Z')).toEqual([]);
    const lines = (await ada.ok(['audit', 'show'])).trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines.join('\n')).toContain(saved.id);
  });
});
