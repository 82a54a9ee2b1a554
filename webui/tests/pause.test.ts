import assert from "node:assert/strict";
import { test } from "node:test";
import { LONGEST_PAUSE, SHORTEST_PAUSE, pauseBefore } from "../src/stream/pause";

test("each pause is longer than the one before, up to a bound", () => {
  const pauses = Array.from({ length: 12 }, (_, attempt) => pauseBefore(attempt, 0.999_999));
  assert.deepEqual(pauses.slice(0, 7), [500, 1000, 2000, 4000, 8000, 16_000, 30_000]);
  assert.equal(pauses.at(-1), LONGEST_PAUSE);
  assert.equal(pauseBefore(1_000_000, 0.999_999), LONGEST_PAUSE);
});

test("pages that lost the node together do not come back together", () => {
  assert.equal(pauseBefore(0, 0), SHORTEST_PAUSE / 2);
  assert.notEqual(pauseBefore(4, 0.1), pauseBefore(4, 0.9));
});

test("the node's own wish is kept, within reason", () => {
  assert.equal(pauseBefore(0, 0, 5000), 5000);
  assert.equal(pauseBefore(0, 0, 86_400_000), 60_000);
});
