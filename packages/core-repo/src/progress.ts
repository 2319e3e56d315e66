/** What long operations report: facts, counted since the last event. Sizes in bytes. */
export type RepositoryEvent =
  | { type: 'phase'; phase: string }
  | { type: 'planned'; files?: number; bytes?: number }
  | { type: 'advanced'; files?: number; bytes?: number };

export type OnProgress = (event: RepositoryEvent) => void;

/** Turns running totals, as reading a tree reports them, into steps. */
export function advance(
  onProgress: OnProgress | undefined,
): ((totals: Readonly<{ files: number; bytes: number }>) => void) | undefined {
  if (onProgress === undefined) return undefined;
  let seen = { files: 0, bytes: 0 };
  return ({ files, bytes }) => {
    onProgress({ type: 'advanced', files: files - seen.files, bytes: bytes - seen.bytes });
    seen = { files, bytes };
  };
}
