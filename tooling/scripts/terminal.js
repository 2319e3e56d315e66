/** Colours by name; none where nobody sees them or somebody said no. */
const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const coloured =
  process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';

/**
 * @param {keyof typeof CODES} colour
 * @param {string} text
 */
export function paint(colour, text) {
  return coloured ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

/** @param {number} ms */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
