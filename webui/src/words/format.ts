/** Numbers and times as people read them, in the words' language. Pure. */

import type { Words } from "./en";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Three digits at most: `64.2 MB`, `212 GB`. */
export function bytes(words: Words, count: number | null): string {
  if (count === null) return words.machine.unknown;
  let size = Math.max(0, count);
  let step = 0;
  while (size >= 999.5 && step < UNITS.length - 1) {
    size /= 1000;
    step += 1;
  }
  const maximumFractionDigits = step > 0 && size < 99.95 ? 1 : 0;
  const unit = UNITS[step] ?? "byte";
  return new Intl.NumberFormat(words.language, { style: "unit", unit, maximumFractionDigits }).format(size);
}

/** The two or three largest units that say something: `4 h 12 min 09 s`, `2 d 4 h 12 min`. */
export function duration({ units }: Words, seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  const rest = whole % 60;
  const two = (part: number): string => String(part).padStart(2, "0");
  if (days > 0) return `${days} ${units.day} ${hours} ${units.hour} ${two(minutes)} ${units.minute}`;
  if (hours > 0) return `${hours} ${units.hour} ${two(minutes)} ${units.minute} ${two(rest)} ${units.second}`;
  if (minutes > 0) return `${minutes} ${units.minute} ${two(rest)} ${units.second}`;
  return `${rest} ${units.second}`;
}

/** A clock time when it is today, a day and a clock time otherwise. */
export function moment(words: Words, at: number, now: number): string {
  const then = new Date(at);
  const today = then.toDateString() === new Date(now).toDateString();
  const time = { hour: "2-digit", minute: "2-digit" } as const;
  const style = today ? time : ({ day: "numeric", month: "short", ...time } as const);
  return new Intl.DateTimeFormat(words.language === "en" ? "en-GB" : words.language, style).format(then);
}

/** The beginning and the end of something long, so that two of them can be told apart at a glance. */
export function shortened(long: string, head = 12, tail = 6): string {
  return long.length <= head + tail + 1 ? long : `${long.slice(0, head)}…${long.slice(-tail)}`;
}
