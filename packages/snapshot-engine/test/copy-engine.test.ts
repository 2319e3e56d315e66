import { mkdtempSync } from 'node:fs';
import { copyEngine } from '@jvs/snapshot-engine';
import { describeEngine } from '@jvs/snapshot-engine/contract';
import { afterAll, beforeAll } from 'vitest';
import { mountExt4, type Mounted } from './mounted.ts';

let ext4: Mounted;
beforeAll(() => {
  ext4 = mountExt4();
});
afterAll(() => ext4.unmount());

describeEngine(copyEngine, () => mkdtempSync(`${ext4.dir}/case-`));
