import type { Descriptor, User } from '@jvs/testkit';
import { expect } from 'vitest';

export interface Finding {
  category: string;
  code: string | null;
  severity: string;
  repair: string | null;
}

export interface Report {
  healthy: boolean;
  findings: Finding[];
}

/** Runs a command that dies or fails at the failpoint, and says whether it did what it was told. */
export async function crash(user: User, args: string[], failpoint: string, action: string): Promise<void> {
  const result = await user.run(['--json', ...args], { env: { JVS_FAILPOINT: `${failpoint}=${action}` } });
  if (action === 'kill') {
    expect(result, `${failpoint} was not reached`).toMatchObject({ signal: 'SIGKILL' });
    return;
  }
  const errno = action.replace('error:', '');
  expect(result, `${failpoint} was not reached`).toMatchObject({ exitCode: 1 });
  expect(result.stderr).toContain('jvs: E_IO: ');
  expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'E_IO', details: { errno } } });
}

export async function snapshotIds(user: User): Promise<string[]> {
  return (await user.json<Descriptor[]>(['history'])).map(({ snapshot_id }) => snapshot_id);
}

export async function categories(user: User, ...args: string[]): Promise<string[]> {
  const result = await user.run(['--json', 'doctor', ...args]);
  return (JSON.parse(result.stdout) as Report).findings.map(({ category }) => category);
}

/**
 * What must hold after any crash: what was acknowledged is still there, the next snapshot works under the same lock and
 * stands on the newest visible one, doctor repairs what is left, and then everything verifies. Returns the new id.
 */
export async function expectRecovery(user: User, visible: string[], leftOver: string[] = []): Promise<string> {
  const next = await user.json<Descriptor>(['snapshot', 'the next one']);
  expect(next.parent_snapshot_id).toBe(visible[0] ?? null);
  await expectRepaired(user, leftOver);
  return next.snapshot_id;
}

/** Lets doctor repair, and then read everything: only what stays on purpose is left to find. */
export async function expectRepaired(user: User, leftOver: string[] = []): Promise<void> {
  const report = await user.json<Report>(['doctor', '--repair-runtime', '--strict']);
  expect(report.findings.map(({ category }) => category)).toEqual(leftOver);
  expect(report.healthy).toBe(true);
}
