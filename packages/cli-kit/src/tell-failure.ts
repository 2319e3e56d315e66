import { statusOf } from './exit-status.ts';
import { interruptionCode } from './interrupted.ts';
import { errorDocument, renderError } from './render-error.ts';
import { clearStatusLine, terminal } from './terminal.ts';

/** Tells of a failure on stderr, and sets the exit status that it ends the program with. */
export function tellFailure(error: unknown): void {
  const { name, exitCodes } = terminal();
  clearStatusLine();
  process.stderr.write(renderError(name, error));
  const { code } = errorDocument(error);
  const usual = exitCodes[code] ?? (code === 'E_USAGE' ? 2 : 1);
  process.exitCode = interruptionCode() ?? statusOf(error) ?? usual;
}
