import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';

const BUCKET = 256;
const FOLD_DISTANCE = 64;

/** Records of an exclusive log, kept until they are written. */
export class HandWrittenLog {
  readonly #directory: string;
  readonly #name: string;
  readonly #lines: string[] = [];
  tip = '';

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
    mkdirSync(directory, { recursive: true });
  }

  get count(): number {
    return this.#lines.length;
  }

  append(fields: Record<string, unknown>): void {
    const body = { ...fields, prev_hash: this.tip, seq: this.count + 1 };
    this.tip = sha256(canonical(body));
    this.#lines.push(`${canonical({ ...body, record_hash: this.tip })}\n`);
  }

  write(folded: boolean): void {
    const digits = (seq: number): string => String(seq).padStart(12, '0');
    let first = 1;
    for (; folded && first + BUCKET - 1 + FOLD_DISTANCE <= this.count; first += BUCKET) {
      const last = first + BUCKET - 1;
      const path = `${this.#directory}/${this.#name}-${digits(first)}-${digits(last)}.jsonl`;
      writeFileSync(path, this.#lines.slice(first - 1, last).join(''));
    }
    for (let seq = first; seq <= this.count; seq += 1) {
      writeFileSync(`${this.#directory}/${digits(seq)}.jsonl`, this.#lines[seq - 1] ?? '');
    }
  }
}

/** RFC 8785 for what is written here: plain objects of strings, integers, booleans and null. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

export function sha256(data: string): string {
  return createHash('sha256').update(data).digest('hex');
}

export function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
