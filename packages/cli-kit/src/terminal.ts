import { createColors } from 'picocolors';

interface Settings {
  /** The program's name, as messages begin. */
  name: string;
  noColor: boolean;
  quiet: boolean;
  progress: 'auto' | 'json';
  /** Exit status by error code, where it is not the usual one. */
  exitCodes: Readonly<Record<string, number>>;
}

let settings: Settings = { name: '', noColor: false, quiet: false, progress: 'auto', exitCodes: {} };

/** What the program is and the global flags said; set by `runCli`. */
export function setTerminal(changed: Partial<Settings>): void {
  settings = { ...settings, ...changed };
}

let clearLine: (() => void) | undefined;

/** While something is drawn on the terminal's last line, how to take it away before anything else is printed. */
export function setStatusLine(clear: (() => void) | undefined): void {
  clearLine = clear;
}

/** Call before printing to stdout or stderr: what follows begins on a line of its own. */
export function clearStatusLine(): void {
  clearLine?.();
}

export function terminal(): Readonly<Settings> {
  return settings;
}

/** Colours for text that goes to `stream`: none unless it is a terminal that has them and nobody said no. */
export function colorsFor(stream: 'stdout' | 'stderr'): ReturnType<typeof createColors> {
  const { NO_COLOR: noColor = '', TERM: term } = process.env;
  return createColors(process[stream].isTTY && !settings.noColor && noColor === '' && term !== 'dumb');
}
