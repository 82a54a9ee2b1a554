/** Readers for what comes from the node: each takes an unknown value and gives a typed one, or says what does not fit. */

export type Reader<T> = (value: unknown, where: string) => T;
export type Read<R> = R extends Reader<infer T> ? T : never;

export class UnreadableError extends Error {
  constructor(where: string, wanted: string) {
    super(`${where || "answer"}: ${wanted} was expected`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const text: Reader<string> = (value, where) => {
  if (typeof value === "string") return value;
  throw new UnreadableError(where, "text");
};

export const number: Reader<number> = (value, where) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new UnreadableError(where, "a number");
};

export const flag: Reader<boolean> = (value, where) => {
  if (typeof value === "boolean") return value;
  throw new UnreadableError(where, "yes or no");
};

/** A point in time as milliseconds, from RFC 3339. */
export const moment: Reader<number> = (value, where) => {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isFinite(at)) return at;
  throw new UnreadableError(where, "a point in time");
};

export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return (value, where) => (value === null || value === undefined ? null : reader(value, where));
}

export function or<T>(reader: Reader<T>, otherwise: T): Reader<T> {
  return (value, where) => (value === null || value === undefined ? otherwise : reader(value, where));
}

export function list<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw new UnreadableError(where, "a list");
    return value.map((item, index) => reader(item, `${where}[${index}]`));
  };
}

type Shape = Record<string, Reader<unknown>>;

/** An object with at least these fields; others are let go, so that a newer node can say more. */
export function object<S extends Shape>(shape: S): Reader<{ readonly [K in keyof S]: Read<S[K]> }> {
  return (value, where) => {
    if (!isRecord(value)) throw new UnreadableError(where, "an object");
    const fields = Object.entries(shape).map(([name, reader]) => [name, reader(value[name], `${where}.${name}`)]);
    return Object.fromEntries(fields) as { readonly [K in keyof S]: Read<S[K]> };
  };
}
