import type { Measurement } from './measurement.ts';
import type { Workbench } from './workbench.ts';

/** What every row is given. */
export interface Bench extends Workbench {
  /** The generated tree. */
  readonly source: string;
  readonly rounds: number;
  readonly tell: (line: string) => void;
}

export type Row = (bench: Bench) => Promise<Measurement[]>;
