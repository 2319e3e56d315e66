import { isMet, median, resultOf, type Measurement, type Series } from './measurement.ts';

const BEGIN = '<!-- measured: begin -->';
const END = '<!-- measured: end -->';

/** Facts, table and commands of a run, as Markdown. */
export function renderReport(facts: Record<string, string>, measurements: readonly Measurement[]): string {
  const commands = new Set(measurements.flatMap(({ jvs, peer }) => [jvs.command, ...(peer ? [peer.command] : [])]));
  return [
    ...Object.entries(facts).map(([name, fact]) => `- ${name}: ${fact}`),
    '',
    ...renderTable(measurements),
    '',
    'The commands, in the folder that holds the tree `source` or in the worktree `main`:',
    '',
    '```sh',
    ...commands,
    '```',
  ].join('\n');
}

/** The table; lined up, so that it can be read as it is. */
export function renderTable(measurements: readonly Measurement[]): string[] {
  const rows = [
    ['', 'jvs', 'min–max', 'peer', 'its median', 'min–max', 'result', 'bar', 'bar is'],
    ...measurements.map((measurement) => {
      const { what, unit, jvs, peer } = measurement;
      const theirs = peer === undefined ? ['', '', ''] : [peer.name, ...numbers(peer, unit)];
      return [what, ...numbers(jvs, unit), ...theirs, ...verdict(measurement)];
    }),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)];
}

/** Puts a report between the marks of a document. @throws Error where they are missing */
export function insertReport(document: string, report: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`The document lacks the lines ${BEGIN} and ${END}`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${report}\n\n${document.slice(end)}`;
}

function numbers({ values }: Series, unit: Measurement['unit']): [string, string] {
  const [least, largest] = [format(Math.min(...values), unit), format(Math.max(...values), unit)];
  const middle = format(median(values), unit);
  return [unit === 'calls' ? middle : `${middle} ${unit}`, values.length === 1 ? '' : `${least}–${largest}`];
}

function verdict(measurement: Measurement): [string, string, string] {
  const { compare, unit, bar } = measurement;
  const result = resultOf(measurement);
  const show = (value: number): string => {
    if (compare === 'ratio') return `${value.toFixed(2)} ×`;
    const text = unit === 'calls' ? String(value) : `${format(value, unit)} ${unit}`;
    return compare === 'difference' ? `${value < 0 ? '' : '+'}${text}` : text;
  };
  const isGood = isMet(measurement);
  if (bar === undefined || isGood === undefined) return [show(result), '', ''];
  return [show(result), `≤ ${show(bar)}`, isGood ? 'met' : 'missed'];
}

function format(value: number, unit: Measurement['unit']): string {
  return unit === 'ms' && value < 1000 ? value.toFixed(1) : value.toFixed(0);
}
