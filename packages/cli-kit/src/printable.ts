// C0, DEL, C1, and the marks that reorder or hide text on a terminal.
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
// The styles that `colorsFor` is used for here, and their ends; concealed or blinking text is nobody's result.
// oxlint-disable-next-line no-control-regex
const COLOUR = /(\u001b\[(?:0|2|22|31|32|33|36|39)m)/;

/** `text` on one line, with everything that could steer a terminal or forge a line made visible. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeCharacter);
}

/** As {@link printable}, but line ends, tabs and colours stay: for whole results, whose layout is ours. */
export function printableLines(text: string): string {
  return text
    .split(COLOUR)
    .map((piece, index) =>
      index % 2 === 1 ? piece : piece.replace(UNPRINTABLE, (c) => (c === '\n' || c === '\t' ? c : escapeCharacter(c))),
    )
    .join('');
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  if (character === '\t') return '\\t';
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
