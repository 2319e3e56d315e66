import { test } from '@jvs/testkit';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { CodedError, errnoError, hasCode } from '../src/errors.ts';

class DoorClosedError extends CodedError {
  readonly code = 'E_DOOR_CLOSED';
  constructor(door: string, cause?: unknown) {
    super(`The door "${door}" is closed`, { cause, hint: 'Knock.', details: { door } });
  }
}

class SilentError extends CodedError {
  readonly code = 'E_SILENT';
}

test('a coded error carries its class, its hint and the facts of the case', () => {
  const cause = new Error('locked');

  const error = new DoorClosedError('front', cause);

  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'DoorClosedError',
    code: 'E_DOOR_CLOSED',
    message: 'The door "front" is closed',
    hint: 'Knock.',
    details: { door: 'front' },
  });
  expect(error.cause).toBe(cause);
});

test('a coded error without facts has no hint and no details', () => {
  expect(new SilentError('nothing more is known')).toMatchObject({ hint: undefined, details: {} });
});

test('hasCode knows our codes and those of Node', async ({ dir }) => {
  const missing: unknown = await readFile(`${dir}/missing`).catch((error: unknown) => error);

  expect(hasCode(missing, 'ENOENT')).toBe(true);
  expect(hasCode(missing, 'EACCES', 'ENOENT')).toBe(true);
  expect(hasCode(missing, 'EACCES')).toBe(false);
  expect(hasCode(new DoorClosedError('back'), 'E_DOOR_CLOSED')).toBe(true);
});

test('hasCode takes nothing that is no error for one', () => {
  for (const other of [undefined, null, 'ENOENT', { code: 'ENOENT' }, new Error('ENOENT')]) {
    expect(hasCode(other, 'ENOENT')).toBe(false);
  }
});

test('an imitated errno looks like the one of a system call', () => {
  const error = errnoError('ENOSPC', 'write', '/full');

  expect(hasCode(error, 'ENOSPC')).toBe(true);
  expect(error).toMatchObject({ syscall: 'write', path: '/full' });
});
