/** What long operations report: facts, counted since the last event. Sizes in bytes. */
export type RepositoryEvent =
  | { type: 'phase'; phase: string }
  | { type: 'planned'; files?: number; bytes?: number }
  | { type: 'advanced'; files?: number; bytes?: number };

export type OnProgress = (event: RepositoryEvent) => void;
