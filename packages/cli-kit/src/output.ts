import { printable, printableLines } from './printable.ts';
import { clearStatusLine, colorsFor, terminal } from './terminal.ts';

/**
 * Writes a command's result to stdout: `value` as one JSON document with two spaces, or what `human` says.
 * Both end with one LF; a human text that is empty prints nothing.
 */
export function printResult(json: boolean, value: unknown, human: () => string): void {
  const text = json ? JSON.stringify(value, null, 2) : printableLines(human());
  if (text === '') return;
  clearStatusLine();
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Tells of something that is no failure, on stderr; silent with `--quiet`. */
export function printWarning(message: string): void {
  const { name, quiet } = terminal();
  if (quiet) return;
  clearStatusLine();
  process.stderr.write(`${name}: ${colorsFor('stderr').yellow('warning:')} ${printable(message)}\n`);
}
