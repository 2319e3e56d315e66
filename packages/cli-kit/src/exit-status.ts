const statuses = new WeakMap<Error, number>();

/** Marks a failure: the program then ends with this status, whatever status its code stands for. */
export function exitingWith<Failure extends Error>(status: number, error: Failure): Failure {
  statuses.set(error, status);
  return error;
}

/** The status that {@link exitingWith} has given to `error`. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? statuses.get(error) : undefined;
}
