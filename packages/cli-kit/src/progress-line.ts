import { formatBytes } from './format-bytes.ts';
import { formatDuration } from './format-duration.ts';
import type { ProgressEvent } from './progress.ts';

/** Two redraws are at least this far apart; a new stage is shown at once. */
const REDRAW_MS = 100;
/** Before this much time has passed in a stage, a rate would be a guess. */
const RATE_AFTER_MS = 1000;

interface Counts {
  files: number;
  bytes: number;
}

/** The terminal the line is drawn on: stderr, or what a test puts there. */
interface Screen {
  /** Some terminals say 0. */
  readonly columns?: number;
  write(text: string): unknown;
}

/** One line that is drawn over and over: `Hashing  1200/5000 files  24.0 MiB/100.0 MiB  12.0 MiB/s  6.3 s left`. */
export class ProgressLine {
  readonly #screen: Screen;
  readonly #now: () => number;
  #phase = '';
  #done: Counts = { files: 0, bytes: 0 };
  #planned: Counts = { files: 0, bytes: 0 };
  #startedAt: number;
  #drawnAt = -Infinity;

  constructor(screen: Screen, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
    this.#startedAt = now();
  }

  show(event: ProgressEvent): void {
    const now = this.#now();
    switch (event.type) {
      case 'phase':
        this.#phase = event.phase;
        this.#done = { files: 0, bytes: 0 };
        this.#planned = { files: 0, bytes: 0 };
        this.#startedAt = now;
        this.#drawnAt = -Infinity;
        break;
      case 'planned':
        this.#planned = { files: event.files ?? 0, bytes: event.bytes ?? 0 };
        break;
      case 'advanced':
        this.#done.files += event.files ?? 0;
        this.#done.bytes += event.bytes ?? 0;
        break;
    }
    if (now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#screen.write(`\r${this.#text(now, (this.#screen.columns || 80) - 1)}\u001b[K`);
  }

  /** Takes the line away until the next event. */
  clear(): void {
    if (this.#drawnAt === -Infinity) return;
    this.#drawnAt = -Infinity;
    this.#screen.write('\r\u001b[K');
  }

  /** What does not fit is left out as a whole, what tells least first: half a number would be another one. */
  #text(now: number, width: number): string {
    const { files, bytes } = this.#done;
    const elapsed = now - this.#startedAt;
    const isSettled = elapsed >= RATE_AFTER_MS;
    const counted = files > 0 || this.#planned.files > 0 ? `${ofTotal(files, this.#planned.files, String)} files` : '';
    const sized = bytes > 0 || this.#planned.bytes > 0 ? ofTotal(bytes, this.#planned.bytes, formatBytes) : '';
    const rate = isSettled && bytes > 0 ? `${formatBytes(Math.round((bytes * 1000) / elapsed))}/s` : '';
    const left = isSettled ? this.#timeLeft(elapsed) : '';
    const choices = [
      [this.#phase, counted, sized, rate, left],
      [this.#phase, counted, sized, left],
      [this.#phase, counted, left],
      [this.#phase, left],
      [this.#phase],
    ].map((parts) => parts.filter((part) => part !== '').join('  '));
    return choices.find((text) => text.length <= width) ?? this.#phase.slice(0, width);
  }

  /** Small files take their time for being many, large ones for being large: so it goes by the mean of both shares. */
  #timeLeft(elapsed: number): string {
    const { files, bytes } = this.#planned;
    const shares = [...(files > 0 ? [this.#done.files / files] : []), ...(bytes > 0 ? [this.#done.bytes / bytes] : [])];
    const share = shares.reduce((sum, each) => sum + each, 0) / shares.length;
    if (!(share > 0 && share < 1)) return '';
    const seconds = Math.ceil((elapsed * (1 - share)) / share / 1000);
    return `${seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000)} left`;
  }
}

function ofTotal(done: number, total: number, format: (count: number) => string): string {
  return total > 0 ? `${format(done)}/${format(total)}` : format(done);
}
