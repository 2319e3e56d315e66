import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JVS_BIN, type User } from '@jvs/testkit';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The blocks of a page that are fenced as `language`. */
export function blocksIn(page: string, language: string): string[] {
  const text = readFileSync(ROOT + page, 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, found, block = '']) =>
    found === language ? [block] : [],
  );
}

/** Somebody who types what a guide says into one shell, in which a jvs is installed. */
export class Reader {
  readonly #user: User;
  readonly #dir: string;
  /** What all commands so far have printed. */
  #output = '';

  constructor(dir: string, user: User) {
    this.#dir = dir;
    this.#user = user;
    const bin = `${dir}/bin`;
    if (existsSync(bin)) return;
    mkdirSync(bin);
    writeFileSync(`${bin}/jvs`, `#!/bin/sh\nexec "${process.execPath}" "${JVS_BIN}" "$@"\n`);
    chmodSync(`${bin}/jvs`, 0o755);
  }

  get output(): string {
    return this.#output;
  }

  /** Types the commands of a block, one after the other; each must succeed. Returns what they print. */
  type(block: string, replace: Readonly<Record<string, string | (() => string)>> = {}): string {
    const start = this.#output.length;
    for (const command of commandsIn(block)) {
      let typed = command;
      for (const [placeholder, value] of Object.entries(replace)) {
        if (typed.includes(placeholder))
          typed = typed.replaceAll(placeholder, typeof value === 'string' ? value : value());
      }
      if (/<[a-z-]+>/.test(typed)) throw new Error(`Nothing is given for the placeholder in: ${typed}`);
      this.#output += this.#run(typed);
    }
    return this.#output.slice(start);
  }

  #run(command: string): string {
    const { cwd, env } = this.#user;
    const place = `${this.#dir}/where`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -e\n${command}\npwd >"$PLACE"`], {
      cwd,
      encoding: 'utf8',
      env: { ...env, PATH: `${this.#dir}/bin${delimiter}${process.env['PATH']}`, TZ: 'UTC', PLACE: place },
      timeout: 60_000,
    });
    if (status !== 0) throw new Error(`In ${cwd}: ${command}\nexits with ${status}\n${stdout}${stderr}`);
    this.#user.cwd = readFileSync(place, 'utf8').trimEnd();
    return stdout;
  }
}

/** Lines, with those joined that a backslash or an open quote continues. */
function commandsIn(block: string): string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of block.split('\n')) {
    open += open === '' ? line : `\n${line}`;
    const isOpen = line.endsWith('\\') || (open.match(/(?<!\w)'|'(?!\w)/g)?.length ?? 0) % 2 === 1;
    if (isOpen) continue;
    if (!/^\s*(#|$)/.test(open)) commands.push(open);
    open = '';
  }
  if (open !== '') throw new Error(`The block ends in the middle of a command: ${open}`);
  return commands;
}
