/** `740 ms`, `4.2 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, 'min', 's');
  if (seconds < 86_400) return pair(Math.floor(seconds / 60), 60, 'h', 'min');
  return pair(Math.floor(seconds / 3600), 24, 'd', 'h');
}

function pair(small: number, perBig: number, bigUnit: string, smallUnit: string): string {
  return `${Math.floor(small / perBig)} ${bigUnit} ${String(small % perBig).padStart(2, '0')} ${smallUnit}`;
}
