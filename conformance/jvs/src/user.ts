import { ExpectationError } from './expectations.ts';
import { shown, startProgram, type Outcome, type Running } from './program.ts';
import type { Transcript } from './transcript.ts';

/** The error document of a command that failed. */
export interface ErrorDocument {
  code: string;
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
}

/** What all users of one check have in common. */
export interface Stage {
  /** The program under test and its first arguments. */
  bin: readonly string[];
  /** PATH of everything that is started. */
  searchPath: string;
  transcript: Transcript;
  /** What still runs. */
  living: Set<Running>;
  signal: AbortSignal | undefined;
}

/** Somebody at a terminal: an own home, perhaps an own session, and a working directory. */
export class User {
  readonly name: string;
  readonly cwd: string;
  readonly #stage: Stage;
  readonly #home: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(name: string, home: string, cwd: string, stage: Stage, env: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.cwd = cwd;
    this.#home = home;
    this.#stage = stage;
    this.#env = env;
  }

  /** The same user elsewhere. */
  at(cwd: string): User {
    return new User(this.name, this.#home, cwd, this.#stage, this.#env);
  }

  /** The same user with these variables in the environment too. */
  with(env: Readonly<Record<string, string>>): User {
    return new User(this.name, this.#home, this.cwd, this.#stage, { ...this.#env, ...env });
  }

  start(args: readonly string[], { isToFreeze = false }: { isToFreeze?: boolean } = {}): Running {
    const { bin, searchPath: PATH, transcript, living, signal } = this.#stage;
    const env = { ...homeVariables(this.#home), PATH, TZ: 'UTC', ...this.#env };
    const own = Object.entries(this.#env).map(([name, value]) => `${name}=${value}`);
    const words = [...(own.length === 0 ? [] : [own]), args];
    const command = [`(cd `, ` && ${isToFreeze ? 'exec ' : ''}$${this.name} `, ...(own.length === 0 ? [] : [' '])];
    const end = isToFreeze ? ') & until grep -q "^State:.T" /proc/$!/status; do sleep 0.1; done' : ')';
    command[command.length - 1] += '$JVS ';
    const tell = transcript.add({ syntax: [...command, end], words: [[this.cwd], ...words] });
    const running = startProgram([...bin, ...args], { cwd: this.cwd, env, signal });
    living.add(running);
    void running.outcome
      .then(
        ({ stdout }) => tell(stdout),
        () => undefined,
      )
      .finally(() => living.delete(running));
    return running;
  }

  async run(...args: string[]): Promise<Outcome> {
    return await this.start(args).outcome;
  }

  /** Runs a command that must succeed; returns its stdout. */
  async ok(...args: string[]): Promise<string> {
    const outcome = await this.run(...args);
    if (outcome.exitCode !== 0)
      throw new ExpectationError(`${this.said(args)} must succeed: ${shown(outcome)}`, {
        answered: answeredBy(outcome),
      });
    return outcome.stdout;
  }

  /** Runs a command that must succeed, with `--json`; returns the document. */
  async json<Document>(...args: string[]): Promise<Document> {
    return parsed<Document>(await this.ok('--json', ...args), this.said(args));
  }

  /**
   * Runs a command that must fail with exit status 1 and one of these classes, on stderr and in the JSON document, which
   * is returned.
   */
  async refused<Document extends object = object>(
    codes: string | readonly string[],
    ...args: string[]
  ): Promise<Document & { error: ErrorDocument }> {
    return refusalIn<Document>(await this.run('--json', ...args), codes, this.said(args));
  }

  /** Runs a command and returns its document whatever its exit status: reports of damage exit 1. */
  async report<Document extends object>(...args: string[]): Promise<Document> {
    const outcome = await this.run('--json', ...args);
    const said = this.said(args);
    const mayReport = outcome.exitCode === 0 || outcome.exitCode === 1;
    const document = mayReport ? parsed<Document>(outcome.stdout, said) : undefined;
    if (document !== undefined && Object.keys(document).join() !== 'error') return document;
    throw new ExpectationError(`${said} must report: ${shown(outcome)}`, { answered: answeredBy(outcome) });
  }

  /** Runs a command that the failpoint must kill. */
  async killedAt(failpoint: string, ...args: string[]): Promise<void> {
    const outcome = await this.with({ JVS_FAILPOINT: `${failpoint}=kill` }).run(...args);
    if (outcome.signal === 'SIGKILL') return;
    throw new ExpectationError(`${this.said(args)} was not killed at the failpoint ${failpoint}: ${shown(outcome)}`, {
      answered: answeredBy(outcome),
    });
  }

  /** Starts a command and resolves once the failpoint has frozen it. */
  async frozenAt(failpoint: string, ...args: string[]): Promise<Running> {
    const running = this.with({ JVS_FAILPOINT: `${failpoint}=stop` }).start(args, { isToFreeze: true });
    if ((await running.stopped()) === 'ended') {
      const outcome = await running.outcome;
      throw new ExpectationError(`${this.said(args)} did not stop at the failpoint ${failpoint}: ${shown(outcome)}`, {
        answered: answeredBy(outcome),
      });
    }
    return running;
  }

  /** The command as messages name it. */
  said(args: readonly string[]): string {
    const line = `jvs ${args.join(' ')}`;
    return `\`${line.length > 200 ? `${line.slice(0, 200)}…` : line}\``;
  }
}

/** Where a program finds what belongs to a user. */
export function homeVariables(home: string): Record<string, string> {
  return { HOME: home, XDG_STATE_HOME: `${home}/state`, XDG_CACHE_HOME: `${home}/cache` };
}

/** The document of a command that must have failed with exit status 1 and one of these classes. `said` names it. */
export function refusalIn<Document extends object = object>(
  outcome: Outcome,
  codes: string | readonly string[],
  said: string,
): Document & { error: ErrorDocument } {
  const allowed = typeof codes === 'string' ? [codes] : codes;
  const answered = answeredBy(outcome);
  const isRefused = outcome.exitCode === 1 && answered !== undefined && allowed.includes(answered);
  if (!isRefused) {
    const message = `${said} must fail with ${allowed.join(' or ')}: ${shown(outcome)}`;
    throw new ExpectationError(message, { answered, demanded: allowed[0] });
  }
  const document = parsed<Document & { error: ErrorDocument }>(outcome.stdout, said);
  if (document.error?.code !== answered)
    throw new ExpectationError(`${said} says ${answered} on stderr and ${document.error?.code} in JSON`);
  return document;
}

/** The class that a failed command names on stderr. */
function answeredBy({ stderr }: Outcome): string | undefined {
  return /^[^:\n]+: (E_[A-Z_]+): /m.exec(stderr)?.[1];
}

function parsed<Document>(stdout: string, said: string): Document {
  try {
    return JSON.parse(stdout) as Document;
  } catch {
    throw new ExpectationError(`${said} printed no JSON document: ${stdout.slice(0, 400)}`);
  }
}
