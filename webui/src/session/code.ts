/** One-time codes: eight Crockford characters, however a person types them. */

export const CODE_LENGTH = 8;

/** Upper case, without spaces and dashes, with the letters that are never used read as the digits they look like. */
export function tidyCode(typed: string): string {
  return typed.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
}

/** The code in a URL fragment like `#code=ABCD1234`, or null. */
export function codeIn(fragment: string): string | null {
  const code = new URLSearchParams(fragment.replace(/^#/, "")).get("code");
  return code ? tidyCode(code) : null;
}

/** Takes the code out of the address, so that neither history nor a glance over the shoulder keeps it. */
export function takeCode(page: Location, past: History): string | null {
  if (!/[#&]code=/.test(page.hash)) return null;
  const code = codeIn(page.hash);
  past.replaceState(null, "", page.pathname + page.search);
  return code;
}
