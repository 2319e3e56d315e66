import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';

/** SHA-256 of bytes in hand, lower-case hex. A string is hashed as UTF-8. */
export function sha256(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex');
}

/** SHA-256 of a byte string (one character per byte). */
export function sha256OfByteString(data: string): string {
  return hash('sha256', Buffer.from(data, 'latin1'), 'hex');
}
