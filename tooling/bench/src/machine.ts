import { execFile } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import process from 'node:process';
import { promisify } from 'node:util';
import { run } from './run.ts';
import { command, jvs, type Workbench } from './workbench.ts';

const execute = promisify(execFile);

/** What someone must know who wants to compare: the machine, its programs, and how busy it was. */
export async function describeMachine(bench: Workbench): Promise<Record<string, string>> {
  const version = async (program: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run(command(bench, program, args));
    return stdout.split('\n')[0]?.trim() ?? '';
  };
  const processors = cpus();
  const { stdout } = await run(jvs(bench, bench.dir, ['--version']));
  return {
    Machine: `${processors.length} cores (${processors[0]?.model.trim()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release().split('-')[0]}`,
    Filesystem: bench.filesystem,
    Programs: [
      `jvs ${stdout.trim()}${await revision()}`,
      `Node ${process.version}`,
      await version('cp', '--version'),
      (await version('restic', 'version')).split(' compiled')[0],
      (await version('strace', '--version')).replace(' -- version', ''),
    ].join(', '),
    'Load before': loadavg()
      .map((load) => load.toFixed(2))
      .join(', '),
  };
}

/** Of which sources, where git can tell. */
async function revision(): Promise<string> {
  const cwd = import.meta.dirname;
  try {
    const { stdout: commit } = await execute('git', ['rev-parse', '--short', 'HEAD'], { cwd });
    const { stdout: changes } = await execute('git', ['status', '--porcelain', '--', ':/packages', ':/apps'], { cwd });
    return ` (${commit.trim()}${changes === '' ? '' : ', changed'})`;
  } catch {
    return '';
  }
}
