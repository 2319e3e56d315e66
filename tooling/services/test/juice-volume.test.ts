import { readFile, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, test } from 'vitest';
import { startJuiceVolume, whyNoJuiceVolume, type JuiceVolume } from '../src/juice-volume.ts';
import { mountNamespaceOf, processesIn, stateOf, waitUntil } from '../src/processes.ts';

const WHY_NOT = whyNoJuiceVolume();
const NOT_HERE = WHY_NOT === undefined ? '' : ` (not here: ${WHY_NOT})`;

/** Runs a line of shell on a host, at most so long, and says what it printed or how it failed. */
async function shell({ hosts }: JuiceVolume, host: 0 | 1, line: string, seconds = 20): Promise<string> {
  return hosts[host]
    .run('timeout', '-k', '1', String(seconds), 'sh', '-c', line)
    .catch((error: unknown) => String(error));
}

describe.runIf(WHY_NOT === undefined).concurrent(`two hosts on JuiceFS${NOT_HERE}`, () => {
  test('are told apart, and share one volume', { timeout: 90_000 }, async ({ expect }) => {
    const volume = await startJuiceVolume({ trashDays: 0 });
    try {
      const identity = 'hostname; cat /proc/sys/kernel/random/boot_id';
      const [a, b] = [await shell(volume, 0, identity), await shell(volume, 1, identity)];
      const { volume: dir } = volume.hosts[0];

      expect(a).toMatch(/^host-a\n/);
      expect(b).toMatch(/^host-b\n/);
      expect(a.split('\n')[1]).not.toBe(b.split('\n')[1]);
      expect(hostname()).not.toMatch(/^host-/);

      await shell(volume, 0, `cd ${dir} && echo hello >x.tmp && ln x.tmp x && rm x.tmp`);
      expect(await shell(volume, 1, `cd ${dir} && cat x && ls`)).toBe('hello\nx\n');
      expect(await readdir(dir)).toEqual([]);
    } finally {
      await volume.stop();
    }
  });

  test(
    'can be frozen, cut off, and killed while they hang; nothing is left',
    { timeout: 120_000 },
    async ({ expect }) => {
      const volume = await startJuiceVolume();
      const [a, b] = volume.hosts;
      const namespaces = volume.hosts.map(({ first }) => mountNamespaceOf(first) ?? '');
      try {
        const sleeper = a.start('sleep', ['60'], { stdio: 'ignore' });
        await waitUntil(() => a.processes().includes(sleeper.pid ?? 0), 5000);
        await a.freezePrograms();
        expect(stateOf(sleeper.pid ?? 0)).toBe('T');
        a.thawPrograms();
        expect(stateOf(sleeper.pid ?? 0)).not.toBe('T');

        await a.freezeMount();
        expect(await shell(volume, 0, `ls ${a.volume}`, 1)).toMatch(/fail|kill/i);
        expect(await shell(volume, 1, `echo 1 >${b.volume}/one && cat ${b.volume}/one`)).toBe('1\n');
        a.thawMount();
        expect(await shell(volume, 0, `cat ${a.volume}/one`)).toBe('1\n');

        await a.cutOff();
        expect(await shell(volume, 0, `ls ${a.volume}/nothing`, 2)).not.toContain('No such file');
        expect(await shell(volume, 1, `echo 2 >${b.volume}/two && cat ${b.volume}/two`)).toBe('2\n');
        await a.reconnect();
        expect(await shell(volume, 0, `cat ${a.volume}/two`, 60)).toBe('2\n');

        await a.freezeMount();
        a.start('cat', [`${a.volume}/one`], { stdio: 'ignore' });
      } finally {
        await volume.stop();
      }
      await volume.stop();

      expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain('jvs-juicefs');
      expect(namespaces.flatMap(processesIn).filter((pid) => stateOf(pid) !== undefined)).toEqual([]);
      await expect(readdir(a.folder)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );
});
