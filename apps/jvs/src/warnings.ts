import { printWarning } from '@jvs/cli-kit';

const SHOWN = 10;

export function warnOfLosses(degradations: readonly string[]): void {
  if (degradations.length > 0) printWarning(`the copy does not keep: ${degradations.join(', ')}`);
}

export function warnOfSkipped(paths: readonly string[]): void {
  const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : '';
  printWarning(`left out, being sockets, FIFOs or devices: ${paths.slice(0, SHOWN).join(', ')}${more}`);
}

export function warnOfIntruders(paths: readonly string[]): void {
  for (const path of paths) printWarning(`something stood in the way and was moved to ${path}`);
}
