import type { Descriptor } from '@jvs/testkit';

/** A command that a worker ran, and what it was told. */
export interface LoggedCommand {
  /** `<worker>/<number>`; also the note of the snapshot that the command makes. */
  readonly id: string;
  /** The worker, which is also its session. */
  readonly process: string;
  readonly words: readonly string[];
  readonly worktree: string | null;
  /** The token that it insisted on. */
  readonly token: number | null;
  /** By the clock that all workers share, ms. */
  readonly startedAt: number;
  /** Undefined when nobody lived to see the end. */
  readonly ending: Ending | undefined;
}

export interface Ending {
  readonly at: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Entry extends Ending {
  id: string;
  process: string;
  event: 'begin' | 'end' | 'note';
  words: string[];
  worktree: string | null;
  token: number | null;
}

/** Puts the two lines of each command of a worker's log together. */
export function readCommands(text: string): LoggedCommand[] {
  const entries = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
  const endings = new Map(entries.filter(({ event }) => event === 'end').map((entry) => [entry.id, entry]));
  return entries
    .filter(({ event }) => event === 'begin')
    .map(({ id, process, words, worktree, token, at }) => ({
      id,
      process,
      words,
      worktree,
      token,
      startedAt: at,
      ending: endings.get(id),
    }));
}

/** The document that the command printed, if it ended with 0. */
export function acknowledged<T>({ ending }: LoggedCommand): T | undefined {
  return ending?.exitCode === 0 ? (JSON.parse(ending.stdout) as T) : undefined;
}

/** The snapshot that the command was told it had published, if it was, by itself or by what it ran. */
export function publishedBy({ words: [verb, action], ending }: LoggedCommand): Descriptor | undefined {
  const isPublisher = (verb === 'snapshot' && ending?.exitCode === 0) || (verb === 'lock' && action === 'exec');
  if (!isPublisher || ending === undefined || ending.stdout === '') return undefined;
  const document = JSON.parse(ending.stdout) as Descriptor | { error: unknown };
  return 'error' in document ? undefined : document;
}

/** The class of its failure, of ours or of the shell that it ran. */
export function failureOf({ ending }: LoggedCommand): string | undefined {
  if (ending === undefined || ending.exitCode === 0) return undefined;
  return /jvs: (E_[A-Z_]+): /.exec(ending.stderr)?.[1];
}
