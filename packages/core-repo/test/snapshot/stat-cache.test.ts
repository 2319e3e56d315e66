import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '@jvs/platform/errors';
import { filesystemKind } from '@jvs/platform/filesystem';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { openRepository } from '../../src/repository.ts';
import { createSnapshot, type SnapshotOptions } from '../../src/snapshot/create-snapshot.ts';
import type { Descriptor } from '../../src/snapshot/descriptor.ts';
import { verifySnapshot } from '../../src/verify/verify-snapshot.ts';
import { acquireLock } from '../../src/worktree/locking.ts';
import { openWorktree, type Worktree } from '../../src/worktree/worktree.ts';
import { sha256 } from '../fixtures/canonical.ts';
import { callerNamed, test } from '../fixtures/world.ts';

/** More than what two changes may be apart and have the same time. */
const QUIET_MS = 40;

/** A snapshot that was read again in full and agrees with its manifest. */
async function proven(w: Worktree, options: SnapshotOptions = {}): Promise<Descriptor> {
  const made = await createSnapshot(w, options);
  const verified = await verifySnapshot(w.repository, made.snapshot_id);
  expect(verified).toMatchObject({ tamper_detected: false, payload_hash_valid: true });
  return made;
}

async function locked(w: Worktree): Promise<string> {
  await acquireLock(w);
  mkdirSync(`${w.path}/d/e`, { recursive: true });
  for (const name of ['a', 'b', 'd/c', 'd/e/f']) writeFileSync(`${w.path}/${name}`, `content of ${name}\n`);
  await delay(QUIET_MS);
  return `${w.repository.layout.cache}/${w.id}.stat`;
}

const { name: filesystem } = await filesystemKind(tmpdir());

describe.runIf(['ext4', 'xfs', 'btrfs'].includes(filesystem))(`the next snapshot, on ${filesystem}`, () => {
  test('reads nothing again of what did not change, and says that it did not', async ({ main }) => {
    await locked(main);
    const first = await proven(main);
    const second = await proven(main);

    expect(first.integrity_state).toBe('verified');
    expect(second.integrity_state).toBe('unverified');
    expect(second.payload_root_hash).toEqual(first.payload_root_hash);
  });

  test('reads all of it when told to, or when it is to be taken as it comes', async ({ main }) => {
    await locked(main);
    await proven(main);

    expect(await proven(main, { rehash: true })).toMatchObject({ integrity_state: 'verified' });
    expect(await proven(main, { consistency: 'best_effort' })).toMatchObject({ integrity_state: 'verified' });
  });

  test.for<[string, (w: Worktree) => void]>([
    ['a file of the same size', ({ path }) => writeFileSync(`${path}/a`, 'CONTENT of a\n')],
    [
      'a file whose time was set back',
      ({ path }) => {
        const { atime, mtime } = lstatSync(`${path}/a`);
        writeFileSync(`${path}/a`, 'CONTENT of a\n');
        utimesSync(`${path}/a`, atime, mtime);
      },
    ],
    ['a file moved over another', ({ path }) => renameSync(`${path}/a`, `${path}/b`)],
    [
      'two files that changed places',
      ({ path }) => {
        renameSync(`${path}/a`, `${path}/x`);
        renameSync(`${path}/b`, `${path}/a`);
        renameSync(`${path}/x`, `${path}/b`);
      },
    ],
    [
      'a directory that another took the place of',
      ({ path }) => {
        renameSync(`${path}/d`, `${path}/away`);
        cpSync(`${path}/away`, `${path}/d`, { recursive: true, preserveTimestamps: true });
        writeFileSync(`${path}/d/c`, 'CONTENT of d/c\n');
        rmSync(`${path}/away`, { recursive: true });
      },
    ],
    [
      'a file that became a directory',
      ({ path }) => {
        rmSync(`${path}/a`);
        mkdirSync(`${path}/a`);
      },
    ],
    ['a mode', ({ path }) => chmodSync(`${path}/a`, 0o600)],
    [
      'a file by its other name',
      ({ path }) => {
        linkSync(`${path}/a`, `${path}/d/other`);
        appendFileSync(`${path}/d/other`, 'more');
      },
    ],
  ])('sees %s', async ([, change], { main }) => {
    await locked(main);
    await proven(main);

    change(main);
    await proven(main);
    await proven(main);
  });

  test('sees what a program stores through a memory map, even while the snapshot is being made', async ({ main }) => {
    await locked(main);
    using program = mappingProgram(`${main.path}/a`);
    program.store('1');
    await delay(QUIET_MS);
    // After the last look at the source, before the copy is made durable: whatever was dirty until then still is.
    await proven(main, {
      onProgress: (event) => event.type === 'phase' && event.phase === 'publishing' && program.store('2'),
    });
    const second = await proven(main);
    program.store('3');
    const third = await proven(main);

    expect(third.payload_root_hash).not.toEqual(second.payload_root_hash);
  });

  test('reads a file again that was written so shortly before that it could change at the same time', async ({
    main,
  }) => {
    const cache = await locked(main);

    await proven(main, {
      onProgress: (event) =>
        event.type === 'phase' && event.phase === 'scanning' && writeFileSync(`${main.path}/b`, 'new\n'),
    });

    expect(readFileSync(cache, 'latin1')).toMatch(/[/\0]a\0/);
    expect(readFileSync(cache, 'latin1')).not.toMatch(/[/\0]b\0/);
  });

  test.for<[string, (cache: string) => void]>([
    ['was cut short', (cache) => truncateSync(cache, lstatSync(cache).size >> 1)],
    ['is empty', (cache) => writeFileSync(cache, '')],
    ['was removed', (cache) => rmSync(cache)],
    ['is a directory', (cache) => (rmSync(cache), mkdirSync(cache))],
    ['has a byte changed', (cache) => flip(cache, lstatSync(cache).size - 9)],
    ['names a snapshot that there is not', (cache) => rewrite(cache, /^\S+/, '1771578748123-0a1b2c3d')],
    [
      'is from before the system was started',
      (cache) => rewrite(cache, / \S+/, ' 11111111-2222-4333-8444-555555555555'),
    ],
  ])('takes a cache that %s for none', async ([, damage], { main }) => {
    const cache = await locked(main);
    await proven(main);

    damage(cache);

    expect(await proven(main)).toMatchObject({ integrity_state: 'verified' });
  });

  test('reads all of it where the manifest of the snapshot in the cache is lost', async ({ main }) => {
    await locked(main);
    const first = await proven(main);
    rmSync(main.repository.layout.manifest(first.snapshot_id));

    expect(await proven(main)).toMatchObject({ integrity_state: 'verified' });
  });

  test('with --rehash mends what a wrong cache has spoilt, for those after it too', async ({ main }) => {
    const cache = await locked(main);
    await proven(main);
    const before = fingerprint(`${main.path}/a`);
    writeFileSync(`${main.path}/a`, 'CONTENT of a\n');
    rewrite(cache, before, fingerprint(`${main.path}/a`));
    const { snapshot_id: wrong } = await createSnapshot(main);
    expect(await verifySnapshot(main.repository, wrong)).toMatchObject({ tamper_detected: true });
    await delay(QUIET_MS);

    await proven(main, { rehash: true });
    await proven(main);
  });

  test('in a copy of the repository reads all of it', async ({ dir, fresh, main }) => {
    await locked(main);
    await proven(main);
    execFileSync('cp', ['-a', fresh.root, `${dir}/copy`]);
    const caller = callerNamed(dir, 'ada');
    const copied = await openWorktree(await openRepository(`${dir}/copy`, caller), 'main');

    expect(await proven(copied)).toMatchObject({ integrity_state: 'verified' });
  });

  test('is of exactly what is there, whatever was done and how fast', async ({ main }) => {
    await locked(main);
    const names = ['a', 'b', 'd/c', 'd/e/f', 'g'];
    const at = (name: string): string => `${main.path}/${name}`;
    const name = fc.constantFrom(...names);
    const text = fc.constantFrom('one\n', 'two\n', 'three\n');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), name, text }),
      fc.record({ kind: fc.constant('write, time kept' as const), name, text }),
      fc.record({ kind: fc.constant('append' as const), name, text }),
      fc.record({ kind: fc.constant('rename over' as const), name, other: name }),
      fc.record({ kind: fc.constant('link' as const), name, other: name }),
      fc.record({ kind: fc.constant('remove' as const), name }),
      fc.record({ kind: fc.constant('wait' as const) }),
      fc.record({ kind: fc.constant('snapshot' as const) }),
    );
    const take: Record<string, (name: string, text: string, other: string) => unknown> = {
      write: (file, content) => writeFileSync(at(file), content),
      'write, time kept': (file, content) => {
        const { atime, mtime } = lstatSync(at(file));
        writeFileSync(at(file), content);
        utimesSync(at(file), atime, mtime);
      },
      append: (file, content) => appendFileSync(at(file), content),
      'rename over': (file, _, other) => renameSync(at(file), at(other)),
      link: (file, _, other) => linkSync(at(file), at(other)),
      remove: (file) => rmSync(at(file)),
      wait: async () => delay(QUIET_MS),
      snapshot: async () => proven(main),
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 9 }), async (steps) => {
        for (const { kind, ...what } of steps) {
          const { name: file = '', text: content = '', other = '' } = what as Record<string, string>;
          try {
            await take[kind]?.(file, content, other);
          } catch (error) {
            // What is not there cannot be changed, nor a name be taken twice.
            if (!hasCode(error, 'ENOENT', 'EEXIST')) throw error;
          }
        }
        await proven(main);
      }),
      { numRuns: 15 },
    );
  });
});

/** `<ino> <size> <mtime_ns> <ctime_ns>` of a file. */
function fingerprint(file: string): string {
  const { ino, size, mtimeNs, ctimeNs } = lstatSync(file, { bigint: true });
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** Changes what a cache says, and makes its checksum agree. */
function rewrite(cache: string, from: string | RegExp, to: string): void {
  const [, body = ''] = /^[^\n]*\n([^]*)$/.exec(readFileSync(cache, 'latin1')) ?? [];
  const changed = Buffer.from(body.replace(from, to), 'latin1');
  expect(changed.toString('latin1')).not.toBe(body);
  writeFileSync(cache, Buffer.concat([Buffer.from(`jvs stat cache 1 ${sha256(changed)}\n`), changed]));
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

/** A program that keeps a file mapped and stores bytes at its beginning, one each time it is told to. */
function mappingProgram(file: string): Disposable & { store(byte: string): void } {
  const dir = mkdtempSync(join(tmpdir(), 'jvs-map-'));
  const orders = `${dir}/orders`;
  execFileSync('mkfifo', [orders]);
  const lines = [
    'import mmap, os, sys',
    `mapped = mmap.mmap(os.open(${JSON.stringify(file)}, os.O_RDWR), 0)`,
    `for byte in iter(lambda: os.read(0, 1), b""):`,
    '    mapped[0] = byte[0]',
    `    open(${JSON.stringify(`${dir}/done-`)} + byte.decode(), "w")`,
  ];
  const input = openSync(orders, 'r+');
  const child = spawn('python3', ['-c', lines.join('\n')], { stdio: [input, 'ignore', 'inherit'] });
  return {
    store: (byte) => {
      writeSync(input, byte);
      while (!existsSync(`${dir}/done-${byte}`)) execFileSync('sleep', ['0.01']);
    },
    [Symbol.dispose]: () => {
      child.kill();
      closeSync(input);
      rmSync(dir, { recursive: true });
    },
  };
}
