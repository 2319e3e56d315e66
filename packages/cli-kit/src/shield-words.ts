/** A line on which yargs finds nothing to misread, and the way back to the words that were typed. */
export interface ShieldedLine {
  line: string[];
  /** Puts the words back into an object of arguments. */
  restore: <Args extends object>(args: Args) => Args;
  /** Puts the words back into a message about the line. */
  restoreText: (text: string) => string;
}

/**
 * yargs would read words after `--` as flags after all, drop a lone `-` and take quotes off a word that the shell has
 * left in it. Such words travel as tokens, which no argument can be since they contain a NUL.
 */
export function shieldWords(line: readonly string[]): ShieldedLine {
  const words: string[] = [];
  const asToken = (word: string): string => `\u0000${words.push(word) - 1}`;
  const end = line.indexOf('--');
  const before = end < 0 ? line : line.slice(0, end);
  const shielded = before.map((word) => {
    if (word === '-' || /^["']/.test(word)) return asToken(word);
    const [, flag, value] = /^(--[^=]+=)(["'].*)$/s.exec(word) ?? [];
    return flag === undefined || value === undefined ? word : flag + asToken(value);
  });
  if (end >= 0) shielded.push(...line.slice(end + 1).map(asToken));

  const restore = (value: unknown): unknown => {
    if (typeof value === 'string' && value.startsWith('\u0000')) return words[Number(value.slice(1))];
    return Array.isArray(value) ? value.map(restore) : value;
  };
  const restoreAll = <Args extends object>(args: Args): Args =>
    Object.fromEntries(Object.entries(args).map(([key, value]) => [key, restore(value)])) as Args;
  // oxlint-disable-next-line no-control-regex
  const restoreText = (text: string): string => text.replace(/\u0000(\d+)/g, (_, index) => words[Number(index)] ?? '');
  return { line: shielded, restore: restoreAll, restoreText };
}
