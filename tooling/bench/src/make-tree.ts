import { Buffer } from 'node:buffer';
import { mkdirSync, writeFileSync } from 'node:fs';

export interface TreeFacts {
  files: number;
  dirs: number;
  bytes: number;
}

const FILES_A_FOLDER = 20;
const FOLDERS_A_FOLDER = 25;
const MEAN_BYTES = 6144;
/** Of the logarithm of sizes: half of the files are then below 2 KB, one in a hundred above 65 KB. */
const SIGMA = 1.5;
const LARGEST_BYTES = 4 * 1024 * 1024;
const POOL_BYTES = 2 * LARGEST_BYTES;
/** Of the files; the rest is random, as compressed data is. */
const SHARE_OF_TEXT = 0.7;

/**
 * Makes the directory `root` with `files` files below it, the same ones each time: 20 a folder, 25 such folders in each
 * folder of the top, sizes log-normal around 6 KB, a hundredth of them executable.
 */
export function makeTree(root: string, files: number, seed = 1): TreeFacts {
  const random = randomNumbers(seed);
  const noise = noisePool(random);
  const text = textPool(random);
  const facts = { files: 0, dirs: 0, bytes: 0 };
  let folder = root;
  mkdirSync(root);
  for (; facts.files < files; facts.files++) {
    const inFolder = facts.files % FILES_A_FOLDER;
    if (inFolder === 0) {
      const nth = facts.files / FILES_A_FOLDER;
      const top = `${root}/group-${number(Math.floor(nth / FOLDERS_A_FOLDER), 4)}`;
      if (nth % FOLDERS_A_FOLDER === 0) makeFolder(top, facts);
      folder = `${top}/part-${number(nth % FOLDERS_A_FOLDER, 2)}`;
      makeFolder(folder, facts);
    }
    const isText = random() < SHARE_OF_TEXT;
    const size = logNormalSize(random);
    const start = Math.floor(random() * (POOL_BYTES - size));
    const name = `${folder}/item-${number(inFolder, 2)}.${isText ? 'txt' : 'bin'}`;
    const mode = random() < 0.01 ? 0o755 : 0o644;
    writeFileSync(name, (isText ? text : noise).subarray(start, start + size), { mode });
    facts.bytes += size;
  }
  return facts;
}

function makeFolder(path: string, facts: TreeFacts): void {
  mkdirSync(path);
  facts.dirs += 1;
}

function number(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

/** Box and Muller's transform of two uniform numbers into a normal one. */
function logNormalSize(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const size = Math.round(MEAN_BYTES * Math.exp(SIGMA * normal - SIGMA ** 2 / 2));
  return Math.min(Math.max(size, 1), LARGEST_BYTES);
}

function noisePool(random: () => number): Buffer {
  const words = Uint32Array.from({ length: POOL_BYTES / 4 }, () => random() * 2 ** 32);
  return Buffer.from(words.buffer);
}

function textPool(random: () => number): Buffer {
  const pick = (from: string): string => from.charAt(Math.floor(random() * from.length));
  const syllable = (): string => pick('bdfgklmnprstvz') + pick('aeiou');
  const words = Array.from({ length: 5000 }, () => Array.from({ length: 1 + random() * 4 }, syllable).join(''));
  const pool = Buffer.alloc(POOL_BYTES);
  for (let at = 0; at < POOL_BYTES;) {
    const word = words[Math.floor(random() ** 2 * words.length)] ?? '';
    at += pool.write(`${word}${random() < 0.1 ? '\n' : ' '}`, at, 'latin1');
  }
  return pool;
}

/** Uniform numbers below 1 by mulberry32, a generator of 32 bits of state: the same for the same seed, everywhere. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
