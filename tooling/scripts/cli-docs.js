// `npm run docs`: writes docs/cli/jvs.md from what the built program says with --help. With --check it writes nothing and
// fails where that would change something.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { JVS, ROOT } from './workspace.js';

const PAGE = join(ROOT, 'docs/cli/jvs.md');
const BIN = process.env['JVS_BIN'] ?? JVS;

/**
 * A command with its help and the commands below it.
 * @typedef {{ words: string[], about: string, help: string, commands: Entry[] }} Entry
 */

/**
 * @param {string[]} words
 * @param {string} about
 * @returns {Entry}
 */
function describe(words, about) {
  const help = execFileSync(process.execPath, [BIN, ...words, '--help'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  const commands = (sectionsOf(help).get('Commands:') ?? '').split('\n').flatMap((line) => {
    const [, path = '', text = ''] = /^ {2}jvs (\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
    const inner = path.split(' ').filter((word) => /^[a-z]/.test(word));
    return path === '' ? [] : [describe(inner, text.replace(/ {2,}\[.*$/, ''))];
  });
  return { words, about, help, commands };
}

/**
 * The parts of a help text by their headings; what stands before the first has the heading ''.
 * @param {string} help
 */
function sectionsOf(help) {
  const parts = help.trimEnd().split(/\n\n(?=[A-Z][a-z ]+:\n)/);
  return new Map(
    parts.map((part, index) => {
      const heading = index === 0 ? '' : part.slice(0, part.indexOf('\n'));
      return [heading, part];
    }),
  );
}

/** @param {Entry} entry */
function nameOf({ words }) {
  return ['jvs', ...words].join(' ');
}

/** @param {string} text */
function fenced(text) {
  return `\`\`\`text\n${text}\n\`\`\``;
}

/**
 * @param {Entry} entry
 * @returns {string[]}
 */
function chapters(entry) {
  const parts = [...sectionsOf(entry.help)].filter(
    ([heading]) => heading !== 'Global flags:' && heading !== 'Exit codes:',
  );
  const level = '#'.repeat(Math.min(entry.words.length + 1, 4));
  const own = `${level} ${nameOf(entry)}\n\n${fenced(parts.map(([, text]) => text).join('\n\n'))}`;
  return [own, ...entry.commands.flatMap(chapters)];
}

/**
 * @param {Entry} entry
 * @returns {string[]}
 */
function contents(entry) {
  const own = `${'  '.repeat(entry.words.length - 1)}- [\`${nameOf(entry)}\`](#${nameOf(entry).replaceAll(' ', '-')}) ${entry.about}`;
  return [own, ...entry.commands.flatMap(contents)];
}

function page() {
  const root = describe([], '');
  const shared = sectionsOf(root.help);
  return `${[
    '# The command line of jvs',
    'Made from `--help` by `npm run docs`; a test compares the two.',
    root.commands.flatMap(contents).join('\n'),
    '## Everywhere',
    fenced(['Global flags:', 'Exit codes:'].map((heading) => shared.get(heading)).join('\n\n')),
    ...root.commands.flatMap(chapters),
  ].join('\n\n')}\n`;
}

const made = page();
const isCurrent = existsSync(PAGE) && readFileSync(PAGE, 'utf8') === made;
if (!process.argv.includes('--check')) {
  mkdirSync(dirname(PAGE), { recursive: true });
  if (!isCurrent) writeFileSync(PAGE, made);
} else if (!isCurrent) {
  console.error('docs/cli/jvs.md does not say what --help says. After "npm run build": npm run docs');
  process.exitCode = 1;
}
