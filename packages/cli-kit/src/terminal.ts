import { createColors } from 'picocolors';

interface Settings {
  /** The program's name, as messages begin. */
  name: string;
  noColor: boolean;
  quiet: boolean;
  progress: 'auto' | 'json';
}

let settings: Settings = { name: '', noColor: false, quiet: false, progress: 'auto' };

/** What the global flags said; set once, by `runCli`. */
export function setTerminal(changed: Partial<Settings>): void {
  settings = { ...settings, ...changed };
}

export function terminal(): Readonly<Settings> {
  return settings;
}

/** Colours for text that goes to `stream`: none unless it is a terminal that has them and nobody said no. */
export function colorsFor(stream: 'stdout' | 'stderr'): ReturnType<typeof createColors> {
  const { NO_COLOR: noColor = '', TERM: term } = process.env;
  return createColors(process[stream].isTTY && !settings.noColor && noColor === '' && term !== 'dumb');
}
