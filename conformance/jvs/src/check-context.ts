import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { runProgram } from '@jvs/platform/run-program';
import type { Profile } from './check.ts';
import { ExpectationError } from './expectations.ts';
import type { Outcome, Running } from './program.ts';
import { namesIn, repositoryAt, slot, stateLog, stateRecords, type RepositoryFiles } from './repository-files.ts';
import { quoted, shell, Transcript, type ShellLine } from './transcript.ts';
import { homeVariables, User, type Stage } from './user.ts';

/** Users in a repository, standing in its main worktree. */
export interface Scene {
  repo: RepositoryFiles;
  ada: User;
  /** Another user with another session. */
  bob: User;
}

/** A {@link Scene} in which ada holds the lock and has published one snapshot of `hello.txt`. */
export interface SavedScene extends Scene {
  id: string;
}

/** Long enough for a busy machine, short enough to wait for. */
const SHORT_LEASE_MS = 9000;
/** The program's own allowance before somebody may take over: clock skew and grace. */
const ALLOWANCE_MS = 3000;

/** What a check may use: a fresh directory, users, and tools that write down what they do. */
export class CheckContext {
  /** Absolute, without symlinks, empty at first. */
  readonly dir: string;
  readonly profile: Profile;
  readonly transcript: Transcript;
  readonly #stage: Stage;
  readonly #names = new Set<string>();

  constructor(dir: string, profile: Profile, program: Pick<Stage, 'bin' | 'searchPath' | 'signal'>) {
    this.dir = dir;
    this.profile = profile;
    this.transcript = new Transcript(dir);
    this.#stage = { ...program, transcript: this.transcript, living: new Set() };
  }

  /** Ends whatever still runs, frozen or not. */
  killLeftovers(): void {
    for (const running of this.#stage.living) running.kill();
  }

  /** What was done, as lines for a POSIX shell. */
  reproduction(): string[] {
    const { bin } = this.#stage;
    const homes = [...this.#names].map((name) => {
      const variables = Object.entries(homeVariables(`$D/home-${name}`)).map(([key, value]) => `${key}=${value}`);
      return `${name}="env -i ${variables.join(' ')} PATH=$PATH TZ=UTC"; mkdir "$D/home-${name}"`;
    });
    const program = bin.map((word) => quoted(word)).join(' ');
    return ['D=$(mktemp -d); cd "$D"', `JVS=${quoted(program)}`, ...homes, ...this.transcript.lines()];
  }

  /** A user whose home is `<dir>/home-<name>` and who stands in `dir`. */
  async user(name: string, env: Readonly<Record<string, string>> = {}): Promise<User> {
    const home = `${this.dir}/home-${name}`;
    await mkdir(home, { recursive: true });
    this.#names.add(name);
    return new User(name, home, this.dir, this.#stage, env);
  }

  /** Runs a program other than the one under test in `dir`; returns what it printed. */
  async run(program: string, ...args: string[]): Promise<string> {
    const tell = this.transcript.add(shell`${[program, ...args]}`);
    const path = `PATH=${this.#stage.searchPath}`;
    const printed = await runProgram('env', ['-C', this.dir, path, program, ...args], { signal: this.#stage.signal });
    tell(printed);
    return printed;
  }

  /** Writes a text file. */
  async write(path: string, text: string): Promise<void> {
    this.#note(shell`printf %b ${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')} > ${path}`);
    await writeFile(path, text);
  }

  /** Replaces the one occurrence of a text in a file, as an editor does that keeps the file. */
  async edit(path: string, from: string, to: string): Promise<void> {
    const pattern = from.replaceAll(/[\\/.*[\]^$&]/g, '\\$&');
    this.#note(shell`sed -i ${`s/${pattern}/${to.replaceAll(/[\\/&]/g, '\\$&')}/`} ${path}`);
    const before = await readFile(path, 'utf8');
    if (before.split(from).length !== 2) throw new ExpectationError(`${path} must hold ${JSON.stringify(from)} once`);
    await writeFile(
      path,
      before.replace(from, () => to),
    );
  }

  /** Says in the transcript what is done by other means. */
  remark(text: string): void {
    this.transcript.add({ syntax: [`# ${text}`], words: [] });
  }

  /** Lets a frozen command go on, and waits for its end. */
  async thawed({ resume, outcome }: Running): Promise<Outcome> {
    this.transcript.add({ syntax: ['kill -CONT $!; wait $!'], words: [] });
    resume();
    return await outcome;
  }

  /** `init` by ada. */
  async repository(name = 'repo'): Promise<Scene> {
    const [ada, bob] = [await this.user('ada'), await this.user('bob', { JVS_SESSION: 'bob' })];
    await ada.ok('init', name);
    const repo = repositoryAt(`${this.dir}/${name}`);
    return { repo, ada: ada.at(repo.main), bob: bob.at(repo.main) };
  }

  /**
   * A repository with one snapshot; ada holds the lock.
   * @param options.mustRunOut gives her a lease that {@link leaseRunsOut} can wait for
   */
  async savedRepository({ mustRunOut = false }: { mustRunOut?: boolean } = {}): Promise<SavedScene> {
    const scene = await this.repository();
    await this.write(`${scene.repo.main}/hello.txt`, 'hello\n');
    const lease = mustRunOut && this.profile === 'release' ? ['--lease-ms', String(SHORT_LEASE_MS)] : [];
    await scene.ada.ok('lock', 'acquire', ...lease);
    const { snapshot_id: id } = await scene.ada.json<{ snapshot_id: string }>('snapshot', 'first');
    return { ...scene, id };
  }

  /**
   * Brings the time when anybody may take over a lock that was made for this: in `release` by waiting, in `dev` by moving
   * the holder's last sign of life back.
   */
  async leaseRunsOut(repo: RepositoryFiles): Promise<void> {
    if (this.profile === 'dev') return await this.holderFallsSilent(repo);
    await this.wait(SHORT_LEASE_MS + ALLOWANCE_MS + 500);
  }

  async wait(ms: number): Promise<void> {
    this.#note(shell`sleep ${String(ms / 1000)}`);
    await delay(ms, undefined, this.#stage.signal === undefined ? {} : { signal: this.#stage.signal });
  }

  /** Moves the holder's last sign of life two days back. */
  async holderFallsSilent(repo: RepositoryFiles): Promise<void> {
    const log = stateLog(repo);
    await this.run('touch', '-d', '2 days ago', slot(log, stateRecords(repo).length));
  }

  /** Deletes files and trees. */
  async remove(...paths: string[]): Promise<void> {
    if (paths.length > 0) await this.run('rm', '-rf', '--', ...paths);
  }

  /** The names of `folder`, asked for in the transcript too. */
  list(folder: string): string[] {
    const names = namesIn(folder);
    this.transcript.add(shell`ls ${folder}`)(names.join('\n'));
    return names;
  }

  #note(line: ShellLine): void {
    this.transcript.add(line);
  }
}
