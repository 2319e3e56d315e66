import type { CheckContext } from './check-context.ts';

/** `dev` waits for nothing and stays in one folder; `release` lets leases run out and goes to other filesystems too. */
export type Profile = 'dev' | 'release';

/** One of the 29 checks of docs/specs/jvs.md, "Conformance checks". */
export interface Check {
  /** 1 to 29, as in the table. */
  number: number;
  /** What is done. */
  title: string;
  /** What must come of it. */
  expected: string;
  /** Its outcome depends on what the filesystem can do, so `release` repeats it on each that can be mounted. */
  everywhere?: boolean;
  /** Resolves when the program passes. @throws ExpectationError, or another coded error that says why it could not be seen */
  run: (c: CheckContext) => Promise<void>;
}
