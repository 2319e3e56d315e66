import { rmSync, statSync } from 'node:fs';

import { repositoryAt, setHeartbeatBack, slot, stateLog, stateRecords, test } from '@jvs/testkit';
import { describe } from 'vitest';

import { CAN_MOUNT, fillDisk, withTmpfs } from '../jvs/mounts.ts';
import { crash, expectRecovery, expectRepaired } from './aftermath.ts';
import { ACTIONS } from './failpoints.ts';

const MIB = 1 << 20;

describe.concurrent('acquiring', () => {
  test.for(ACTIONS)('lock:credentials=%s: not locked, and can be', async (action, { repo, ada, expect }) => {
    await crash(ada, ['lock', 'acquire'], 'lock:credentials', action);

    expect(stateRecords(repo)).toHaveLength(1);
    expect(await ada.json(['lock', 'status'])).toMatchObject({ state: 'free' });
    await ada.ok(['lock', 'acquire']);
    await expectRecovery(ada, []);
  });

  test.for(ACTIONS)('lock:append=%s: locked, and ours', async (action, { repo, ada, bob, expect }) => {
    await crash(ada, ['lock', 'acquire'], 'lock:append', action);

    expect(stateRecords(repo)).toHaveLength(2);
    await bob.fails(['lock', 'acquire'], 'E_LOCK_CONFLICT');
    expect(await ada.json(['lock', 'status'])).toMatchObject({ state: 'held', mine: true });
    await expectRecovery(ada, []);
  });
});

describe.concurrent('renewing', () => {
  test.for(ACTIONS)('lock:renew=%s: the lease was extended', async (action, { saved, ada, expect }) => {
    setHeartbeatBack(saved, 3_600_000);
    const before = statSync(slot(stateLog(saved), 3)).mtimeMs;

    await crash(ada, ['lock', 'renew'], 'lock:renew', action);

    expect(statSync(slot(stateLog(saved), 3)).mtimeMs).toBeGreaterThan(before + 3_000_000);
    await expectRecovery(ada, [saved.id]);
  });
});

describe('the reserve', () => {
  test('reserve:write=kill: doctor writes it at the next try', async ({ saved, ada, expect }) => {
    rmSync(`${saved.control}/reserve`);
    await crash(ada, ['doctor', '--repair-runtime'], 'reserve:write', 'kill');

    await expectRepaired(ada);

    expect(statSync(`${saved.control}/reserve`).size).toBe(4 * MIB);
  });

  test.runIf(CAN_MOUNT)('reserve:unlink=kill: the room is there for the next command', async ({ dir, ada, expect }) => {
    await withTmpfs(`${dir}/small`, 8, async () => {
      const repo = repositoryAt(`${dir}/small/repo`);
      await ada.at(`${dir}/small`).ok(['init', 'repo']);
      const user = ada.at(repo.main);
      await user.ok(['lock', 'acquire']);
      fillDisk(`${repo.main}/filler`);

      await crash(user, ['lock', 'release'], 'reserve:unlink', 'kill');
      await user.ok(['lock', 'release']);

      expect(stateRecords(repo).at(-1)).toMatchObject({ kind: 'release', lock: null });
      rmSync(`${repo.main}/filler`);
      await expectRepaired(user);
    });
  });
});
