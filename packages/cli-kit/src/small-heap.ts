/**
 * Makes V8 collect garbage before it asks the system for more memory: lists of a hundred thousand names otherwise leave
 * it with room for several times as many. Costs no time that could be measured. For commands that go through trees;
 * loading `node:v8` takes longer than a short command does.
 */
export async function keepHeapSmall(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--optimize-for-size');
}
