/** Whether the page was opened at an address of this very machine. Elsewhere the codes of the house do not count. */
export function isNear(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
