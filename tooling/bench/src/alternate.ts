/** One of two programs that are measured side by side. `once` prepares, measures, cleans up, and returns the value. */
export interface Side {
  name: string;
  once: (round: number) => Promise<number>;
}

/**
 * Measures A B, B A, A B, …: what changes on the machine meanwhile meets both, and so does what one leaves for the other.
 * The first round is not counted.
 */
export async function alternate(
  rounds: number,
  [a, b]: readonly [Side, Side],
  tell: (line: string) => void,
): Promise<[number[], number[]]> {
  const values: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const early = round % 2 === 0 ? await a.once(round) : undefined;
    const theirs = await b.once(round);
    const ours = early ?? (await a.once(round));
    tell(
      `${round === 0 ? 'warm-up' : `round ${round}`}: ${a.name} ${ours.toFixed(0)} ms, ${b.name} ${theirs.toFixed(0)} ms`,
    );
    if (round === 0) continue;
    values[0].push(ours);
    values[1].push(theirs);
  }
  return values;
}
