import { printResult } from './output.ts';
import { errorDocument, renderError } from './render-error.ts';
import { terminal } from './terminal.ts';

/**
 * Prints a result that is itself bad news, as of a verification that found damage: the whole result on stdout, with
 * `--json` the error as its field `error`, the message on stderr, exit status 1.
 */
export function printFailedResult(json: boolean, value: object, human: () => string, error: Error): void {
  printResult(json, { ...value, error: errorDocument(error) }, human);
  process.stderr.write(renderError(terminal().name, error));
  process.exitCode = 1;
}
