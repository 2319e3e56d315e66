import { Buffer } from 'node:buffer';
import { canonicalJson, wellFormed } from '@jvs/platform/canonical-json';

/** Of a user's text in a record: UTF-16 units, and bytes as they stand there, where a control character takes six. */
const LIMIT = 4096;
/** A record has 64 KiB for three such texts and all the rest. */
const BYTE_LIMIT = 16 * 1024;
const WIDEST_CHARACTER = 6;
const CUT_MARK = '…';

/** A text as records hold it: well-formed, and cut with a mark at its end where it is too long. */
export function cutText(text: string): string {
  const whole = wellFormed(text);
  if (whole.length <= LIMIT && bytesOf(whole) <= BYTE_LIMIT) return whole;
  let kept = '';
  let bytes = bytesOf(CUT_MARK);
  for (const character of whole) {
    bytes += bytesOf(character);
    if (kept.length + character.length + CUT_MARK.length > LIMIT || bytes > BYTE_LIMIT) break;
    kept += character;
  }
  return kept + CUT_MARK;
}

/** Whether {@link cutText} has cut it. */
export function isCut(text: string): boolean {
  if (!text.endsWith(CUT_MARK)) return false;
  // A character of two units may have been the one too many.
  return text.length >= LIMIT - 1 || bytesOf(text) > BYTE_LIMIT - WIDEST_CHARACTER;
}

/** Without the quotes around it. */
function bytesOf(text: string): number {
  return Buffer.byteLength(canonicalJson(text)) - 2;
}
