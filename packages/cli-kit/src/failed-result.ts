import { printResult } from './output.ts';
import { errorDocument } from './render-error.ts';
import { tellFailure } from './tell-failure.ts';

/**
 * Prints a result that is itself bad news, as of a verification that found damage: the whole result on stdout, with
 * `--json` the error as its field `error`, the message on stderr, exit status as for an error.
 */
export function printFailedResult(json: boolean, value: object, human: () => string, error: Error): void {
  printResult(json, { ...value, error: errorDocument(error) }, human);
  tellFailure(error);
}
