import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntil } from './processes.ts';
import { ENVIRONMENT, run } from './run.ts';

export interface RedisServer {
  readonly pid: number;
  /** The unix socket's folder; nothing listens on any network. */
  readonly socketFolder: string;
  /** Runs a Redis command and returns the reply as text. */
  readonly command: (...words: string[]) => Promise<string>;
}

/** Starts a Redis that keeps everything in memory, and that ends with this process if not before. */
export async function startRedis(folder: string): Promise<RedisServer> {
  const socketFolder = join(folder, 'redis');
  const socket = join(socketFolder, 'socket');
  await mkdir(socketFolder, { recursive: true });
  const options = ['--port', '0', '--unixsocket', socket, '--dir', socketFolder, '--save', '', '--appendonly', 'no'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...options], {
    env: ENVIRONMENT,
    stdio: 'ignore',
  });
  child.unref();
  const command = async (...words: string[]): Promise<string> =>
    (await run('redis-cli', ['-s', socket, ...words])).trim();
  const isReady = await waitUntil(async () => (await command('PING').catch(() => '')) === 'PONG', 10_000);
  if (!isReady || child.pid === undefined) throw new Error('redis-server did not start');
  return { pid: child.pid, socketFolder, command };
}
