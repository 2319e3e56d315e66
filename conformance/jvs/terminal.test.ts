import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { hasProgram } from '@jvs/services';
import { JVS_BIN, test, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

const ESCAPE = '\u001b';

interface Session {
  /** What the terminal was told to show. */
  screen: string;
  status: number;
}

/** Runs jvs on a terminal of its own; types Ctrl-C, once, as soon as the screen shows what is waited for. */
async function onTerminal(
  user: User,
  line: string,
  options: { columns?: number; env?: Record<string, string>; interruptAt?: string } = {},
): Promise<Session> {
  const { columns = 80, env, interruptAt } = options;
  const command = `stty cols ${columns}; exec "${process.execPath}" "${JVS_BIN}" ${line}`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: user.cwd,
    env: { ...user.env, PATH: process.env['PATH'], SHELL: '/bin/sh', TERM: 'xterm', TZ: 'UTC', ...env },
  });
  let screen = '';
  let isInterrupted = false;
  child.stdout.on('data', (piece: Buffer) => {
    screen += piece.toString();
    if (isInterrupted || interruptAt === undefined || !screen.includes(interruptAt)) return;
    isInterrupted = true;
    child.stdin.write('\u0003');
  });
  const [status] = (await once(child, 'close')) as [number];
  return { screen, status };
}

/** What was drawn on the last line, one drawing each. */
function drawings(screen: string): string[] {
  return screen
    .split('\r')
    .filter((text) => text.endsWith(`${ESCAPE}[K`))
    .map((text) => text.slice(0, -3));
}

function fill(repo: SavedRepository, files: number): void {
  mkdirSync(`${repo.main}/many`);
  for (let file = 0; file < files; file += 1) writeFileSync(`${repo.main}/many/${file}`, `file ${file}`);
}

describe.runIf(hasProgram('script'))('on a terminal', () => {
  test('Ctrl-C stops a snapshot: one line, status 130, nothing left', async ({ saved, ada }) => {
    fill(saved, 1500);

    const { screen, status } = await onTerminal(ada, 'snapshot', { interruptAt: 'copying' });

    expect(status).toBe(130);
    expect(screen.trimEnd().split(/\r|\n/).at(-1)).toMatch(/jvs: interrupted$/);
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
    expect(await ada.ok(['status'])).toContain('Lock: held (mine)');
  });

  test.for([80, 40, 20])(
    'a status line tells of the stages, fits into %i columns, and is gone at the end',
    async (columns, { saved, ada }) => {
      fill(saved, 200);

      const { screen, status } = await onTerminal(ada, 'snapshot note', { columns });

      expect(status).toBe(0);
      const drawn = drawings(screen);
      expect(drawn.map((text) => text.split(' ', 1)[0])).toEqual(
        expect.arrayContaining(['scanning', 'copying', 'publishing']),
      );
      for (const text of drawn) expect(text.length).toBeLessThan(columns);
      expect(screen).toMatch(/\r\u001b\[KCreated snapshot \d{13}-[0-9a-f]{8}\r\n$/); // oxlint-disable-line no-control-regex
    },
  );

  test.for<[string, string, Record<string, string>]>([
    ['NO_COLOR', 'diff --worktree nobody', { NO_COLOR: '1' }],
    ['--no-color', 'diff --worktree nobody --no-color', {}],
    ['TERM=dumb', 'verify --all', { TERM: 'dumb' }],
    ['--quiet', 'verify --all --quiet --no-color', {}],
  ])('with %s there is nothing but text', async ([, line, env], { saved, ada }) => {
    writeFileSync(`${saved.main}/new`, '');

    const { screen } = await onTerminal(ada, line, { env });

    expect(screen).not.toContain(ESCAPE);
    expect(screen).toMatch(/E_NOT_FOUND|OK/);
  });

  test('without them a failure is in colour', async ({ saved, ada }) => {
    expect((await onTerminal(ada.at(saved.main), 'diff --worktree nobody')).screen).toContain(
      `${ESCAPE}[31mE_NOT_FOUND:`,
    );
  });
});
