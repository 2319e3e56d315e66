import type { Check } from '../check.ts';
import type { CheckContext, SavedScene } from '../check-context.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { auditRecords, namesIn, publishedFiles, type Descriptor } from '../repository-files.ts';

interface Report {
  healthy: boolean;
  findings: { category: string }[];
}

/** What doctor calls the remains of a snapshot whose maker died right after a step, once its intent is dead. */
const BEFORE_COMMIT: Record<string, string | undefined> = {
  begin: undefined,
  intent: 'orphan_intent',
  clone: 'orphan_intent',
  manifest: 'orphan_intent',
  metadata: 'orphan_intent',
  compose: 'orphan_intent',
  'manifest-link': 'orphan_intent',
  ready: 'orphan_intent',
  rename: 'partial_publish',
  descriptor: 'head_orphan',
};
const AFTER_COMMIT = ['commit', 'audit', 'intent-unlink'];

export const crashLeftovers: Check = {
  number: 10,
  title: 'crash leftovers at every step of publishing',
  expected: 'invisible; doctor repairs',
  everywhere: true,
  run: async (c) => {
    const scene = await c.savedRepository();
    for (const [step, category] of Object.entries(BEFORE_COMMIT)) await beforeCommit(c, scene, step, category);
    const visible = [scene.id];
    for (const step of AFTER_COMMIT) visible.unshift(await afterCommit(c, scene, step, visible));
    await scene.ada.ok('verify', '--all');
  },
};

async function beforeCommit(c: CheckContext, scene: SavedScene, step: string, category?: string): Promise<void> {
  const { repo, ada, id } = scene;
  const where = `after a crash at publish:${step}`;
  const sound = publishedFiles(repo);
  await c.write(`${repo.main}/step.txt`, `${step}\n`);
  await ada.killedAt(`publish:${step}`, 'snapshot', 'interrupted');

  expectEqual(await historyOf(scene), [id], `The history ${where}`);
  const isPublished = (name: string): boolean => !name.endsWith('.tmp') && name !== id;
  for (const remains of namesIn(`${repo.control}/snapshots`).filter(isPublished)) {
    await ada.refused(['E_PARTIAL_SNAPSHOT', 'E_NOT_FOUND'], 'restore', remains, '--name', 'from-remains');
  }

  // The lock is given back, which occupies the number of the commit: the intent is dead.
  await ada.ok('lock', 'release');
  if (category !== undefined) {
    const strict = category === 'head_orphan' ? ['--strict'] : [];
    const { findings } = await ada.report<Report>('doctor', ...strict);
    const found = findings.map((finding) => finding.category);
    expectThat(found.includes(category), `doctor must find ${category} ${where}; it finds ${JSON.stringify(found)}`);
  }
  await repairAll(scene, where, category === 'head_orphan' ? ['--repair', 'drop_orphan'] : []);
  expectEqual(publishedFiles(repo), sound, `What there is of snapshots after the repair ${where}`);
  await ada.ok('lock', 'acquire');
}

async function afterCommit(c: CheckContext, scene: SavedScene, step: string, older: string[]): Promise<string> {
  const { repo, ada } = scene;
  const where = `after a crash at publish:${step}`;
  await c.write(`${repo.main}/step.txt`, `${step}\n`);
  await ada.killedAt(`publish:${step}`, 'snapshot', 'committed');

  const [id = '', ...others] = await historyOf(scene);
  expectEqual(others, older, `What is in the history below the committed snapshot ${where}`);
  await repairAll(scene, where);
  expectEqual(namesIn(`${repo.control}/intents`), [], `Intents after the repair ${where}`);
  const records = auditRecords(repo).filter(({ operation, target }) => operation === 'snapshot' && target === id);
  expectThat(records.length > 0, `The snapshot ${id} must have an audit record after the repair ${where}`);
  return id;
}

async function repairAll({ ada }: SavedScene, where: string, further: string[] = []): Promise<void> {
  const args = ['doctor', '--strict', '--repair-runtime', ...further];
  const { healthy, findings } = await ada.report<Report>(...args);
  expectEqual({ healthy, findings }, { healthy: true, findings: [] }, `What doctor finds after the repair ${where}`);
}

async function historyOf({ ada }: SavedScene): Promise<string[]> {
  return (await ada.json<Descriptor[]>('history')).map(({ snapshot_id: id }) => id);
}
