import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** From the bottom up. A package uses rows below its own, never its own row. */
const LAYERS = [
  ['@jvs/platform'],
  ['@jvs/snapshot-engine', '@jvs/lock-lease'],
  ['@jvs/core-repo'],
  ['@jvs/cli-kit', '@jvs/conformance'],
  ['jvs'],
];
/** Used by tests everywhere, so in no row; they are never published. */
const TOOLING = ['@jvs/testkit', '@jvs/services', '@jvs/bench', '@jvs/conformance-tests'];
/** cli-kit knows no product, so that every CLI can use it. */
const CLI_KIT_MAY_USE = ['@jvs/platform'];
/** The conformance kit looks at a program from outside, so it must not share its code. */
const KIT_MAY_USE = ['@jvs/platform'];

interface Manifest {
  name: string;
  private?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(`${ROOT}${path}/package.json`, 'utf8')) as Manifest;
}

function layerOf(name: string): number {
  return LAYERS.findIndex((names) => names.includes(name));
}

function usedBy({ dependencies, devDependencies, peerDependencies }: Manifest): string[] {
  return Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies });
}

const folders = ['packages', 'apps'].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`).map((name) => `${folder}/${name}`),
);
const manifests = [...folders, 'conformance/jvs'].map(readManifest);

test.each(manifests)('$name has a layer and depends only on lower ones', (manifest) => {
  const layer = layerOf(manifest.name);

  expect(layer).toBeGreaterThanOrEqual(0);
  const used = usedBy(manifest).filter((name) => layerOf(name) >= 0);
  expect(used.filter((name) => layerOf(name) >= layer)).toEqual([]);
});

test.each(manifests)('$name ships nothing that is never published', ({ dependencies = {} }) => {
  expect(Object.keys(dependencies).filter((name) => TOOLING.includes(name))).toEqual([]);
});

test('every package of ours that is used exists in a row or among the tools', () => {
  const ours = manifests.flatMap(usedBy).filter((name) => name.startsWith('@jvs/'));

  expect(ours.filter((name) => layerOf(name) < 0 && !TOOLING.includes(name))).toEqual([]);
});

test('cli-kit knows no product', () => {
  const used = usedBy(readManifest('packages/cli-kit')).filter((name) => layerOf(name) >= 0);

  expect(used).toEqual(CLI_KIT_MAY_USE);
});

test('the conformance kit knows no product', () => {
  const used = usedBy(readManifest('conformance/jvs')).filter((name) => layerOf(name) >= 0);

  expect(used).toEqual(KIT_MAY_USE);
});

test('the root manifest names no package of ours, which would make it importable everywhere', () => {
  expect(usedBy(readManifest('')).filter((name) => name === 'jvs' || name.startsWith('@jvs/'))).toEqual([]);
});

test('what is shared by all tests is private', () => {
  const tools = ['tooling/testkit', 'tooling/services', 'tooling/bench', 'conformance'].map(readManifest);

  expect(tools.filter((tool) => tool.private !== true || !TOOLING.includes(tool.name))).toEqual([]);
});

/** The changesets' own rules do not see that an app bundles its libraries. */
test.each(readdirSync(`${ROOT}.changeset`).filter((name) => name.endsWith('.md') && name !== 'README.md'))(
  'the changeset %s names an app',
  (name) => {
    const apps = readdirSync(`${ROOT}apps`).map((app) => readManifest(`apps/${app}`).name);
    const head = /^---\n([\s\S]*?)\n---/.exec(readFileSync(`${ROOT}.changeset/${name}`, 'utf8'))?.[1] ?? '';

    const named = head.split('\n').map((line) => line.replace(/^['"]|['"]?:.*$/g, ''));
    expect(named.filter((entry) => apps.includes(entry))).not.toEqual([]);
  },
);
