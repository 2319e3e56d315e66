import * as nodeModule from 'node:module';

/**
 * Lets Node keep compiled code between runs, where it can (22.1 and later). Modules that are to profit must be loaded
 * afterwards, by `import()`.
 */
export function enableCompileCache(): void {
  // Node 20, whose types we build with, does not have it.
  const enable: unknown = Reflect.get(nodeModule, 'enableCompileCache');
  if (typeof enable === 'function') enable();
}
