import assert from "node:assert/strict";
import { test } from "node:test";
import { isNear } from "../src/door/near";
import { toldAt } from "../src/door/problem";
import type { Problem } from "../src/session/session";
import { de } from "../src/words/de";
import { en } from "../src/words/en";

const NODE_SAYS = "What the node says.";

function refused(code: string, triesLeft: number | null = null, message = NODE_SAYS): Problem {
  return { what: "refused", code, message, triesLeft };
}

test("only addresses of the machine itself are near", () => {
  for (const near of ["localhost", "attic.localhost", "127.0.0.1", "127.8.7.6", "[::1]"]) assert.ok(isNear(near), near);
  for (const away of ["192.168.1.7", "attic.lan", "[fe80::1]", "127.0.0.1.example", "mylocalhost", "1.127.0.0.1", ""]) {
    assert.ok(!isNear(away), away);
  }
});

test("away from the node's machine the door names the one command whose codes count there", () => {
  for (const { door } of [en, de]) {
    for (const says of [door.away.loginSays, door.away.claimSays]) assert.match(says, /`thorp open --anywhere`/);
    assert.notDeepEqual(door.away.hint, door.near.hint);
    assert.doesNotMatch(door.away.hint.join(" "), /no code|keinen Code/);
  }
});

test("what a person meets at the door is said in the page's language", () => {
  const said = (problem: Problem): string[] => [en, de].map((words) => toldAt(problem, true, words).text);
  assert.deepEqual(said(refused("access.wrong_code", 9)), [
    "This code is not valid. 9 tries are left. `thorp open` makes a new one.",
    "Dieser Code gilt nicht. 9 Versuche bleiben. `thorp open` macht einen neuen.",
  ]);
  assert.deepEqual(said(refused("access.wrong_code", 1)), [
    "This code is not valid. One try is left. `thorp open` makes a new one.",
    "Dieser Code gilt nicht. Ein Versuch bleibt. `thorp open` macht einen neuen.",
  ]);
  assert.deepEqual(said(refused("access.wrong_code", 0)), [
    "This code is not valid. None is open now. `thorp open` makes a new one.",
    "Dieser Code gilt nicht. Gerade ist keiner offen. `thorp open` macht einen neuen.",
  ]);
  assert.deepEqual(said(refused("access.wrong_code")), [
    "This code is not valid. `thorp open` makes a new one.",
    "Dieser Code gilt nicht. `thorp open` macht einen neuen.",
  ]);
  for (const code of ["access.code_burned", "access.already_claimed", "web.readable"]) {
    const [english, german] = said(refused(code));
    assert.notEqual(english, NODE_SAYS);
    assert.notEqual(german, english);
    assert.equal(toldAt(refused(code), true, de).language, undefined);
  }
  assert.deepEqual(said({ what: "unreachable" }), [en.door.unreachable, de.door.unreachable]);
});

test("whose codes count is the node's word", () => {
  const told = "Not from here. `thorp open --anywhere` makes one that counts here.";
  for (const words of [en, de]) {
    assert.match(toldAt(refused("access.wrong_code", 3, told), true, words).text, /`thorp open --anywhere`/);
    assert.match(toldAt(refused("access.code_burned", null, told), true, words).text, /`thorp open --anywhere`/);
    assert.match(toldAt(refused("access.already_claimed"), false, words).text, /`thorp open --anywhere`/);
    assert.match(toldAt(refused("access.already_claimed"), true, words).text, /`thorp open`/);
  }
});

test("any other refusal stays in the node's words, marked as English", () => {
  for (const words of [en, de]) assert.deepEqual(toldAt(refused("access.new"), true, words), { text: NODE_SAYS, language: "en" });
});

test("a login that ended is not said to have run out: somebody may have ended it", () => {
  assert.equal(de.door.arrivals.ended, "Deine Anmeldung gilt nicht mehr.");
  assert.equal(en.door.arrivals.ended, "Your login has ended.");
});
