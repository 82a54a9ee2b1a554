/** How long to wait before the next try: doubling from half a second to half a minute, never all pages at once. */

export const SHORTEST_PAUSE = 500;
export const LONGEST_PAUSE = 30_000;

/** `chance` lies in [0, 1). A server's own wish (Retry-After) is honoured up to a minute. */
export function pauseBefore(attempt: number, chance: number, wished = 0): number {
  const full = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** Math.min(attempt, 16));
  const jittered = full / 2 + (full / 2) * chance;
  return Math.round(Math.max(jittered, Math.min(wished, 60_000)));
}
