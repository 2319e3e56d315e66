import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { auditRecords, stateRecords, test, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface Forked {
  name: string;
  path: string;
  config: { base_snapshot_id: string };
}

describe('fork', () => {
  test('makes a worktree from the head of the current one', async ({ saved, ada }) => {
    writeFileSync(`${saved.main}/work`, 'not in the head');

    const forked = await ada.json<Forked>(['fork', 'side']);

    expect(forked).toMatchObject({ name: 'side', path: `${saved.root}/worktrees/side` });
    expect(forked.config.base_snapshot_id).toBe(saved.id);
    expect(readdirSync(forked.path)).toEqual(['hello.txt']);
    expect(stateRecords(saved, 'side').map(({ kind }) => kind)).toEqual(['create', 'end']);
    expect(auditRecords(saved).at(-1)).toMatchObject({ operation: 'worktree_create', target: 'side' });
    expect(await ada.ok(['fork', 'more'])).toBe(`Forked snapshot ${saved.id} to worktree 'more'\n`);
  });

  test('of a snapshot that is named, from anywhere in the repository', async ({ saved, ada }) => {
    writeFileSync(`${saved.main}/hello.txt`, 'second\n');
    await ada.json<Descriptor>(['snapshot', 'second']);

    await ada.at(saved.root).ok(['fork', 'main:HEAD~1', 'old']);
    await ada.ok(['fork', saved.id, 'older']);

    for (const name of ['old', 'older']) {
      expect(readFileSync(`${saved.root}/worktrees/${name}/hello.txt`, 'utf8')).toBe('hello\n');
    }
    await ada.at(saved.root).fails(['fork', 'nameless'], 'E_NOT_IN_WORKTREE');
  });

  test('-n makes so many, numbered from one', async ({ saved, ada }) => {
    const forked = await ada.json<Forked[]>(['fork', 'agent', '-n', '3']);

    expect(forked.map(({ name }) => name)).toEqual(['agent-1', 'agent-2', 'agent-3']);
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['agent-1', 'agent-2', 'agent-3']);
    expect((await ada.ok(['fork', 'HEAD', 'x', '-n', '1'])).trim()).toBe(
      `Forked snapshot ${saved.id} to worktree 'x-1'`,
    );
  });

  test('-n that stops in the middle keeps what was made, and says so', async ({ saved, ada }) => {
    mkdirSync(`${saved.root}/worktrees/agent-3`, { recursive: true });

    const { details, message } = await ada.fails(['fork', 'agent', '-n', '4'], 'E_EXISTS');

    expect(details).toMatchObject({ made: ['agent-1', 'agent-2'], failed: 'agent-3' });
    expect(message).toContain('agent-1, agent-2');
    expect(readdirSync(`${saved.control}/worktrees`).toSorted()).toEqual(['agent-1', 'agent-2', 'main']);
  });

  test('without a snapshot, of what is not there, to what is taken, of no number', async ({ repo, ada }) => {
    await ada.fails(['fork', 'side'], 'E_NOT_FOUND');
    await ada.fails(['fork', '1771578748123-0a1b2c3d', 'side'], 'E_NOT_FOUND');
    for (const count of ['0', '-1', '1.5', 'x'])
      expect((await ada.run(['fork', 'side', '-n', count])).exitCode).toBe(2);
    expect((await ada.run(['fork'])).exitCode).toBe(2);

    expect(existsSync(`${repo.root}/worktrees/side`)).toBe(false);
  });

  test('names that are none are refused before anything is made', async ({ saved, ada }) => {
    await ada.fails(['fork', '../x'], 'E_NAME_INVALID');
    await ada.fails(['fork', `${'n'.repeat(127)}`, '-n', '2'], 'E_NAME_INVALID');

    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });
});
