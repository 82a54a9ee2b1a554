import assert from "node:assert/strict";
import { test } from "node:test";
import { de } from "../src/words/de";
import { type Words, en } from "../src/words/en";
import { bytes, duration, moment, shortened } from "../src/words/format";
import { bestLanguage } from "../src/words/language";

test("sizes have three digits at most, and the unknown is called so", () => {
  const plain = (words: Words, count: number | null): string => bytes(words, count).replaceAll("\u00A0", " ");
  assert.deepEqual(
    [0, 999, 1000, 64_210_000, 999_600_000, 212_400_000_000, 5e15].map((count) => plain(en, count)),
    ["0 byte", "999 byte", "1 kB", "64.2 MB", "1 GB", "212 GB", "5,000 TB"],
  );
  assert.equal(plain(de, 64_210_000), "64,2 MB");
  assert.equal(plain(de, null), "unbekannt");
});

test("a duration names its largest units", () => {
  assert.deepEqual(
    [-1, 0, 59.9, 60, 754, 3600, 15_129, 187_945].map((seconds) => duration(en, seconds)),
    ["0 s", "0 s", "59 s", "1 min 00 s", "12 min 34 s", "1 h 00 min 00 s", "4 h 12 min 09 s", "2 d 4 h 12 min"],
  );
});

test("a moment of today is a clock time, any other has its day", () => {
  const noon = new Date(2026, 4, 4, 12, 30).getTime();
  assert.equal(moment(en, noon, noon + 60_000), "12:30");
  assert.match(moment(en, noon, noon + 86_400_000), /4 May.*12:30/);
  assert.match(moment(de, noon, noon + 86_400_000), /4\. Mai.*12:30/);
});

test("long ids keep their beginning and their end", () => {
  assert.equal(shortened("ed25519:9Z1yJ0m4kV0mQeB7q2d8x3uT5cWlR6pHnA_sF4gKoYE"), "ed25519:9Z1y…4gKoYE");
  assert.equal(shortened("short"), "short");
});

test("the browser's first known language is spoken, English otherwise", () => {
  assert.equal(bestLanguage(["fr-FR", "de-AT", "en"]), "de");
  assert.equal(bestLanguage(["fr", "toString"]), "en");
  assert.equal(bestLanguage([]), "en");
});

/** Every text of a language, with each sentence filled in. */
function texts(words: unknown): string[] {
  if (typeof words === "string") return [words];
  if (typeof words === "function") return texts((words as (...given: unknown[]) => unknown)(["x"], "y"));
  return typeof words === "object" && words !== null ? Object.values(words).flatMap(texts) : [];
}

test("no text shouts, apologises or is empty", () => {
  for (const text of [...texts(en), ...texts(de)]) {
    assert.notEqual(text.trim(), "");
    assert.doesNotMatch(text, /!|\boops\b|\bsorry\b|\bups\b/i);
  }
});
