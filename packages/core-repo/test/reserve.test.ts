import { existsSync, statSync, writeFileSync } from 'node:fs';
import { errnoError } from '@jvs/platform/errors';
import { describe, expect } from 'vitest';
import { hasReserve, refillReserve, withReserve, writeReserve } from '../src/reserve.ts';
import { test } from './fixtures/world.ts';

describe('on a full disk', () => {
  test.for(['ENOSPC', 'EDQUOT'])(
    'a command that met %s is tried again with the room of the reserve',
    async (code, { fresh }) => {
      await writeReserve(fresh.layout);
      const sawReserve: boolean[] = [];

      const result = await withReserve(fresh.layout, async () => {
        sawReserve.push(existsSync(fresh.layout.reserve));
        if (sawReserve.length === 1) throw errnoError(code, 'write');
        return 'done';
      });

      expect(result).toBe('done');
      expect(sawReserve).toEqual([true, false]);
      expect(statSync(fresh.layout.reserve).size).toBe(4 * 1024 * 1024);
    },
  );

  test('a reserve that a crash left short is none, and is written anew', async ({ fresh }) => {
    writeFileSync(fresh.layout.reserve, 'short');

    expect(await hasReserve(fresh.layout)).toBe(false);
    expect(await refillReserve(fresh.layout)).toBe(true);
    expect(await hasReserve(fresh.layout)).toBe(true);
    expect(statSync(fresh.layout.reserve).size).toBe(4 * 1024 * 1024);
  });

  test('a second failure is the failure', async ({ fresh }) => {
    await writeReserve(fresh.layout);

    const failing = withReserve(fresh.layout, async () => {
      throw errnoError('ENOSPC', 'write');
    });

    await expect(failing).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  test('without a reserve the first failure is the failure', async ({ fresh }) => {
    let tries = 0;

    const failing = withReserve(fresh.layout, async () => {
      tries += 1;
      throw errnoError('ENOSPC', 'write');
    });

    await expect(failing).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(tries).toBe(1);
  });
});

test('any other failure leaves the reserve alone', async ({ fresh }) => {
  await writeReserve(fresh.layout);

  const failing = withReserve(fresh.layout, async () => {
    throw errnoError('EIO', 'write');
  });

  await expect(failing).rejects.toMatchObject({ code: 'EIO' });
  expect(existsSync(fresh.layout.reserve)).toBe(true);
});

test('a missing reserve is filled again', async ({ fresh }) => {
  expect(await refillReserve(fresh.layout)).toBe(true);
  expect(statSync(fresh.layout.reserve).size).toBe(4 * 1024 * 1024);
});
