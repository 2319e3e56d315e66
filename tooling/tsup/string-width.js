/**
 * Stands in for the package `string-width` below yargs, which makes an `Intl.Segmenter` at once and so costs every start
 * of a command 28 ms. Help texts of ours have no characters that are wider than one column.
 * @param {string} text
 */
function stringWidth(text) {
  return Array.from(text).length;
}

// oxlint-disable-next-line import/no-default-export
export { stringWidth as default };
