/** What was measured of one program. */
export interface Series {
  /** As one would type it. */
  command: string;
  values: readonly number[];
}

/** A row of the table. */
export interface Measurement {
  what: string;
  unit: 'ms' | 'MB' | 'calls';
  jvs: Series;
  peer?: Series & { name: string };
  /** What is held against the bar: jvs' median by or minus the peer's, or jvs' largest value. */
  compare: 'ratio' | 'difference' | 'largest';
  /** The result may be this at most; a row without one is there for information. */
  bar?: number;
}

/** The result that `compare` asks for. */
export function resultOf({ jvs, peer, compare }: Measurement): number {
  if (compare === 'largest') return Math.max(...jvs.values);
  if (peer === undefined) throw new Error(`A ${compare} needs a peer`);
  const [ours, theirs] = [median(jvs.values), median(peer.values)];
  return compare === 'ratio' ? ours / theirs : ours - theirs;
}

/** Whether the bar holds; undefined where there is none. */
export function isMet(measurement: Measurement): boolean | undefined {
  return measurement.bar === undefined ? undefined : resultOf(measurement) <= measurement.bar;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error('Nothing was measured');
  return (lower + upper) / 2;
}
