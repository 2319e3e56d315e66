import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '@jvs/platform/errors';

/** The program did something else than the check asks for. */
export class ExpectationError extends CodedError {
  readonly code: `E_${string}`;

  /** `answered` is the class that the program gave, `demanded` the one it should have given. */
  constructor(
    message: string,
    { answered, demanded }: { answered?: string | undefined; demanded?: string | undefined } = {},
  ) {
    super(message);
    const named = [answered, demanded].find((name) => name !== undefined && /^E_[A-Z_]+$/.test(name));
    this.code = (named as `E_${string}` | undefined) ?? 'E_CHECK_FAILED';
  }
}

export function expectThat(claim: boolean, message: string): asserts claim {
  if (!claim) throw new ExpectationError(message);
}

/** Compares JSON-like values in depth. `what` names the value, as in "the head in the state log". */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new ExpectationError(`${what}: expected ${shown(expected)}, found ${shown(actual)}`);
}

export function expectMatch(actual: unknown, pattern: RegExp, what: string): void {
  if (typeof actual === 'string' && pattern.test(actual)) return;
  throw new ExpectationError(`${what}: expected ${String(pattern)}, found ${shown(actual)}`);
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
