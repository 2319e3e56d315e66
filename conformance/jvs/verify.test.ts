import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';

import { readJson, test, writePayload, type Descriptor, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { hashWithout, pretty, sha256 } from './canonical.ts';

interface Verification {
  checksum_valid: boolean;
  payload_hash_valid: boolean | null;
  tamper_detected: boolean;
  severity: string;
  snapshot_id: string;
  paths: unknown[];
}

const tree = (saved: SavedRepository) => `${saved.control}/snapshots/${saved.id}`;
const descriptorPath = (saved: SavedRepository) => `${saved.control}/descriptors/${saved.id}.json`;
const manifestPath = (saved: SavedRepository, id = saved.id) => `${saved.control}/manifests/${id}.manifest`;

describe('verify of an intact repository', () => {
  test('exits 0 and says so for each snapshot', async ({ saved, ada }) => {
    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);

    const out = await ada.ok(['verify']);

    expect(out).toMatch(new RegExp(`^${saved.id} {2}OK$`, 'm'));
    expect(out).toMatch(new RegExp(`^${snapshot_id} {2}OK$`, 'm'));
    expect(await ada.json(['verify', '--all'])).toMatchObject({
      checksum_valid: true,
      payload_hash_valid: true,
      tamper_detected: false,
    });
    expect(await ada.json(['verify', '--snapshot', saved.id])).toMatchObject({ snapshot_id: saved.id, paths: [] });
  });

  test('never claims what was not read', async ({ saved, ada }) => {
    expect(await ada.json(['verify', saved.id, '--no-payload'])).toMatchObject({
      checksum_valid: true,
      payload_hash_valid: null,
      tamper_detected: false,
    });
    expect(await ada.json(['verify', saved.id, '--sample', '50%'])).toMatchObject({ payload_hash_valid: null });
  });

  test('of a repository without snapshots is fine', async ({ repo, ada }) => {
    expect(await ada.json(['verify', '--all'])).toMatchObject({ tamper_detected: false });
    expect(existsSync(`${repo.control}/descriptors`)).toBe(true);
  });
});

describe('an edited payload is E_PAYLOAD_HASH_MISMATCH, the path named', () => {
  const edits: [string, string, (tree: string) => void][] = [
    ['a changed byte', 'hello.txt', (root) => writeFileSync(`${root}/hello.txt`, 'hellO\n')],
    ['a changed mode', 'hello.txt', (root) => chmodSync(`${root}/hello.txt`, 0o600)],
    ['a missing file', 'hello.txt', (root) => unlinkSync(`${root}/hello.txt`)],
    ['a file cut short', 'hello.txt', (root) => writeFileSync(`${root}/hello.txt`, 'hel')],
    ['an extra file', 'extra.txt', (root) => writeFileSync(`${root}/extra.txt`, '')],
    ['an extra directory', 'extra', (root) => mkdirSync(`${root}/extra`)],
    [
      'a file that became a link',
      'hello.txt',
      (root) => {
        unlinkSync(`${root}/hello.txt`);
        symlinkSync('elsewhere', `${root}/hello.txt`);
      },
    ],
  ];

  test.for(edits)('%s', async ([, path, edit], { saved, ada }) => {
    edit(tree(saved));

    const report = await ada.unhealthy<Verification>(['verify', saved.id]);
    const human = await ada.run(['verify', '--all']);

    expect(report).toMatchObject({ payload_hash_valid: false, tamper_detected: true, snapshot_id: saved.id });
    expect(JSON.stringify(report.paths)).toContain(path);
    expect(human.exitCode).toBe(1);
    expect(human.stdout).toMatch(new RegExp(`^${saved.id} {2}TAMPERED {2}.+`, 'm'));
    expect(human.stdout).toMatch(new RegExp(`^ +.*${path}`, 'm'));
    expect(human.stdout + human.stderr).toContain('E_PAYLOAD_HASH_MISMATCH');
  });

  test('names that are not text are shown in display form', async ({ repo, ada }) => {
    writePayload(repo.main, 'M3');
    await ada.ok(['lock', 'acquire']);
    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);
    const root = `${repo.control}/snapshots/${snapshot_id}`;
    unlinkSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]));
    unlinkSync(`${root}/new\nline`);
    unlinkSync(`${root}/back\\slash`);

    const report = await ada.unhealthy<Verification>(['verify', snapshot_id]);

    const named = JSON.stringify(report.paths);
    for (const name of ['\\xff\\xfe', 'new\\nline', 'back\\\\slash']) {
      expect(named.toLowerCase()).toContain(JSON.stringify(name).slice(1, -1));
    }
  });

  test('an edit under a manifest that was edited to fit is found by the hash', async ({ saved, ada }) => {
    writeFileSync(`${tree(saved)}/hello.txt`, 'hellO\n');
    writeFileSync(manifestPath(saved), `file 0644 6 ${sha256('hellO\n')} hello.txt\n`);

    const report = await ada.unhealthy<Verification>(['verify', saved.id]);

    expect(report).toMatchObject({ tamper_detected: true });
  });

  test('without reading the payload the edit is not found, and not vouched for', async ({ saved, ada }) => {
    writeFileSync(`${tree(saved)}/hello.txt`, 'hellO\n');

    expect(await ada.json(['verify', saved.id, '--no-payload'])).toMatchObject({ payload_hash_valid: null });
  });
});

describe('an edited descriptor is E_DESCRIPTOR_CORRUPT', () => {
  const edits: [string, (bytes: string) => string][] = [
    ['another note', (bytes) => bytes.replace('"first"', '"forged"')],
    ['an unknown key', (bytes) => pretty({ ...(JSON.parse(bytes) as object), more: true })],
    ['cut short', (bytes) => bytes.slice(0, 100)],
    ['empty', () => ''],
    ['not JSON', () => 'hello'],
    ['a missing key', (bytes) => bytes.replace(/ {2}"engine": "[a-z-]+",\n/, '')],
  ];

  test.for(edits)('%s', async ([, edit], { saved, ada }) => {
    writeFileSync(descriptorPath(saved), edit(readFileSync(descriptorPath(saved), 'utf8')));

    const report = await ada.unhealthy<Verification>(['verify', saved.id]);
    const human = await ada.run(['verify', '--all']);

    expect(report).toMatchObject({ checksum_valid: false, tamper_detected: true });
    expect(human.exitCode).toBe(1);
    expect(human.stdout + human.stderr).toContain('E_DESCRIPTOR_CORRUPT');
  });

  test('even when its checksum was made to fit, .READY disagrees', async ({ saved, ada }) => {
    const descriptor = { ...readJson<Descriptor>(descriptorPath(saved)), note: 'forged' };
    const value = hashWithout(descriptor, 'descriptor_checksum', 'integrity_state');
    writeFileSync(descriptorPath(saved), pretty({ ...descriptor, descriptor_checksum: { algo: 'sha256', value } }));

    const report = await ada.run(['verify', saved.id]);

    expect(report.exitCode).toBe(1);
  });

  test('.READY that is missing or edited is found', async ({ saved, ada }) => {
    const ready = `${tree(saved)}/.READY`;
    const bytes = readFileSync(ready, 'utf8');

    writeFileSync(ready, bytes.replace(/"engine": "[a-z-]+"/, '"engine": "link-copy"'));
    expect((await ada.run(['verify', saved.id])).exitCode).toBe(1);
    unlinkSync(ready);
    expect((await ada.run(['verify', '--all'])).exitCode).toBe(1);
  });
});

describe('the whole repository', () => {
  test('a descriptor that vanished breaks what refers to it', async ({ saved, ada }) => {
    await ada.ok(['snapshot', 'second']);
    unlinkSync(descriptorPath(saved));

    expect((await ada.run(['verify', '--all'])).exitCode).toBe(1);
    const history = await ada.run(['history']);
    expect(history).toMatchObject({ exitCode: 1 });
    expect(history.stdout).toContain('second');
    expect(history.stderr).toContain('E_LINEAGE_BROKEN');
    const report = await ada.unhealthy<{ findings: { code: string }[] }>(['doctor', '--strict']);
    expect(report.findings.map(({ code }) => code)).toContain('E_LINEAGE_BROKEN');
  });

  test('a head whose tree vanished is an error of doctor', async ({ dir, saved, ada }) => {
    renameSync(tree(saved), `${dir}/stolen`);

    expect((await ada.run(['verify', '--all'])).exitCode).toBe(1);
    const report = await ada.unhealthy<{ findings: { severity: string }[] }>(['doctor', '--strict']);
    expect(report.findings.map(({ severity }) => severity)).toContain('error');
  });
});

describe('manifests', () => {
  test('a lost one is computed from the payload, reported, and rebuilt by doctor', async ({ saved, ada }) => {
    const bytes = readFileSync(manifestPath(saved));
    rmSync(manifestPath(saved));

    const verified = await ada.run(['--json', 'verify', '--all']);
    expect(verified.stdout).toContain('manifest_missing');
    expect(JSON.parse(verified.stdout)).toMatchObject({ payload_hash_valid: true });

    await ada.run(['doctor', '--repair-runtime']);
    expect(readFileSync(manifestPath(saved)).equals(bytes)).toBe(true);
    await ada.ok(['verify', '--all']);
  });

  test('a lost one whose payload was edited too is a mismatch and is not rebuilt', async ({ saved, ada }) => {
    rmSync(manifestPath(saved));
    writeFileSync(`${tree(saved)}/hello.txt`, 'hellO\n');

    expect((await ada.run(['verify', saved.id])).exitCode).toBe(1);
    await ada.run(['doctor', '--repair-runtime']);
    expect(existsSync(manifestPath(saved))).toBe(false);
  });

  test('one stored as a difference to its parent is read', async ({ saved, ada }) => {
    const { second } = await secondSnapshot(saved, ada);
    const whole = readFileSync(manifestPath(saved, second)).toString();
    const change = `+file 0644 4 ${sha256('new\n')} a-new\n-hello.txt\n`;
    writeFileSync(manifestPath(saved, second), `base ${saved.id} ${change.length}\n${change}`);

    expect(whole).toBe(`file 0644 4 ${sha256('new\n')} a-new\n`);
    expect(await ada.json(['verify', second])).toMatchObject({ payload_hash_valid: true, tamper_detected: false });
    expect(await ada.json(['status'])).toMatchObject({ clean: true });
    await ada.ok(['restore', second, '--name', 'again']);
    expect(readFileSync(`${saved.root}/worktrees/again/a-new`, 'utf8')).toBe('new\n');
    await ada.ok(['verify', '--all']);
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
    expect((await ada.json<Descriptor>(['snapshot', 'on top'])).parent_snapshot_id).toBe(second);
  });

  test('a difference that does not expand to the hash is a lost manifest', async ({ saved, ada }) => {
    const { second } = await secondSnapshot(saved, ada);
    writeFileSync(manifestPath(saved, second), `base ${saved.id} 11\n-hello.txt\n`);

    const verified = await ada.run(['--json', 'verify', '--all']);

    expect(verified.exitCode).toBe(1);
    expect(verified.stdout).toMatch(/manifest_missing|"tamper_detected": true/);
  });

  test('a difference whose base is lost is rebuilt whole from its own payload', async ({ saved, ada }) => {
    const { second } = await secondSnapshot(saved, ada);
    const whole = readFileSync(manifestPath(saved, second), 'utf8');
    const change = `+file 0644 4 ${sha256('new\n')} a-new\n-hello.txt\n`;
    writeFileSync(manifestPath(saved, second), `base ${saved.id} ${change.length}\n${change}`);
    rmSync(manifestPath(saved));

    await ada.run(['doctor', '--repair-runtime']);

    await ada.ok(['verify', '--all']);
    const stored = readFileSync(manifestPath(saved, second), 'utf8');
    expect([whole, `base ${saved.id} ${change.length}\n${change}`]).toContain(stored);
  });
});

/** Replaces the payload by one other file and takes a snapshot of it. */
async function secondSnapshot(saved: SavedRepository, ada: User): Promise<{ second: string }> {
  unlinkSync(`${saved.main}/hello.txt`);
  writeFileSync(`${saved.main}/a-new`, 'new\n');
  return { second: (await ada.json<Descriptor>(['snapshot', 'second'])).snapshot_id };
}
