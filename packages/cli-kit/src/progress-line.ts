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
    this.#screen.write(`\r${this.#text(now).slice(0, (this.#screen.columns ?? 80) - 1)}\u001b[K`);
  }

  clear(): void {
    if (this.#drawnAt !== -Infinity) this.#screen.write('\r\u001b[K');
  }

  #text(now: number): string {
    const { files, bytes } = this.#done;
    const parts = [this.#phase];
    if (files > 0 || this.#planned.files > 0) parts.push(`${ofTotal(files, this.#planned.files, String)} files`);
    if (bytes > 0 || this.#planned.bytes > 0) parts.push(ofTotal(bytes, this.#planned.bytes, formatBytes));
    const elapsed = now - this.#startedAt;
    if (elapsed >= RATE_AFTER_MS) {
      if (bytes > 0) parts.push(`${formatBytes(Math.round((bytes * 1000) / elapsed))}/s`);
      const share = bytes > 0 && this.#planned.bytes > 0 ? bytes / this.#planned.bytes : files / this.#planned.files;
      if (share > 0 && share < 1) parts.push(`${formatDuration((elapsed * (1 - share)) / share)} left`);
    }
    return parts.filter((part) => part !== '').join('  ');
  }
}

function ofTotal(done: number, total: number, format: (count: number) => string): string {
  return total > 0 ? `${format(done)}/${format(total)}` : format(done);
}
