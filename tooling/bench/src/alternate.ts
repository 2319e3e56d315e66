/** One of two programs that are measured side by side. `once` prepares, measures, cleans up, and returns the value. */
export interface Side {
  name: string;
  once: (round: number) => Promise<number>;
}

/** Measures A B A B …, so that what changes on the machine meanwhile meets both. The first round is not counted. */
export async function alternate(
  rounds: number,
  [a, b]: readonly [Side, Side],
  tell: (line: string) => void,
): Promise<[number[], number[]]> {
  const values: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const ours = await a.once(round);
    const theirs = await b.once(round);
    tell(
      `${round === 0 ? 'warm-up' : `round ${round}`}: ${a.name} ${ours.toFixed(0)} ms, ${b.name} ${theirs.toFixed(0)} ms`,
    );
    if (round === 0) continue;
    values[0].push(ours);
    values[1].push(theirs);
  }
  return values;
}
