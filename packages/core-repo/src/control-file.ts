import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as z from 'zod/mini';
import { hasCode } from '@jvs/platform/errors';
import { DescriptorCorruptError } from './repository-errors.ts';

/** Reads a JSON control file by its schema; undefined when there is none. @throws DescriptorCorruptError */
export async function readControlFile<T extends z.ZodMiniType>(
  path: string,
  schema: T,
): Promise<z.infer<T> | undefined> {
  let text: string;
  try {
    text = await readRegularFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    // A socket, or something else than a directory on the way to it.
    if (hasCode(error, 'ENXIO', 'ENOTDIR', 'ELOOP'))
      throw new DescriptorCorruptError(path, 'is no regular file', error);
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new DescriptorCorruptError(path, text === '' ? 'is empty' : 'is not JSON', error);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new DescriptorCorruptError(
    path,
    where === '' ? 'has other fields than its format' : `has a wrong field "${where}"`,
  );
}

/** Never waits: a FIFO in the place of a control file is damage, not somebody to wait for. */
async function readRegularFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new DescriptorCorruptError(path, 'is no regular file');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
