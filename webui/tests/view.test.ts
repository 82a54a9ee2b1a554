import assert from "node:assert/strict";
import { test } from "node:test";
import { stateSentence } from "../src/frame/sentence";
import { FIRST_VIEW, type News, type View, hear, uptimeAt } from "../src/stream/view";
import { de } from "../src/words/de";
import { en } from "../src/words/en";
import { STARTED, someStatus } from "./some";

const NOW = STARTED + 60_000; // this browser's clock agrees with the node's
const SNAPSHOT: News = { what: "status", status: someStatus(), fresh: true, at: NOW };
const LOST: News = { what: "lost", why: "unreachable", message: "", since: NOW + 1000, nextTry: NOW + 3000 };
const STOPPING: News = { what: "stopping", reason: "the owner asked for it" };
const hearing = (...news: readonly News[]): View => news.reduce(hear, FIRST_VIEW);
const says = (...news: readonly News[]): string => stateSentence(hearing(...news), en, NOW);

test("uptime goes on by this browser's clock, whatever the node's clock says", () => {
  const view = hearing({ what: "status", status: someStatus(), fresh: true, at: NOW + 3_600_000 });
  assert.equal(uptimeAt(view, NOW + 3_605_000), 65);
  assert.equal(view.nodeAhead, -3_600_000);
});

test("the page says what it is waiting for, and that all is well", () => {
  assert.equal(says(), "Asking the node how it is.");
  assert.equal(says({ what: "opened", at: NOW }), "Asking the node how it is.");
  assert.equal(says(SNAPSHOT), "Everything runs. Only this machine can reach your node.");
});

test("a node that was never heard is not called gone", () => {
  assert.equal(says(LOST), "The node does not answer. This page keeps asking.");
});

test("a node that is gone, silent or says no is named so", () => {
  assert.match(says(SNAPSHOT, LOST), /^The node does not answer since \d\d:\d\d\. You see what it said last\.$/);
  assert.match(says(SNAPSHOT, { ...LOST, why: "silent" }), /^The node is silent since/);
  assert.equal(says(SNAPSHOT, { ...LOST, why: "refused", message: "Try later." }), "The node says no: Try later.");
  assert.match(says(SNAPSHOT, { what: "quiet" }), /^Nothing was heard from the node for a while/);
});

test("a node that stops says why, also after it is gone", () => {
  assert.equal(says(SNAPSHOT, STOPPING), "The node is stopping: the owner asked for it");
  assert.match(says(SNAPSHOT, STOPPING, LOST), /^The node stopped at \d\d:\d\d \(the owner asked for it\)\. This page goes on/);
});

test("its return is news for a while", () => {
  const back = hearing(SNAPSHOT, STOPPING, LOST, { ...SNAPSHOT, at: NOW + 66_000 });
  assert.equal(stateSentence(back, en, NOW), "The node is back. It was away for 1 min 05 s.");
  assert.match(stateSentence(hear(back, { what: "settled" }), en, NOW), /^Everything runs/);
});

test("a stream that goes on where it was is live again without a snapshot", () => {
  const view = hearing(SNAPSHOT, LOST, { what: "opened", at: NOW + 9000 });
  assert.equal(view.link, "live");
  assert.equal(view.away, null);
});

test("what failed is named, and what is still coming up is counted", () => {
  const [store, local] = someStatus().services;
  assert.ok(store && local);
  const failed = { ...someStatus(), services: [{ ...store, state: "failed" }, { ...local, state: "failed" }] };
  assert.equal(says({ ...SNAPSHOT, status: failed }), "The services `store` and `local` need your attention.");
  const coming = { ...someStatus(), services: [store, { ...local, state: "starting" }] };
  assert.equal(says({ ...SNAPSHOT, status: coming }), "Coming up: 1 of 2 services run.");
});

test("an open door to the network is said in the first sentence", () => {
  const exposed = { kind: "exposed", address: "https://192.0.2.7:8738", state: "open", reach: "" };
  const status = { ...someStatus(), listeners: [exposed] };
  assert.match(says({ ...SNAPSHOT, status }), /Your network can reach your node at `https:\/\/192\.0\.2\.7:8738`/);
});

test("German says it in German, the node's own sentences too", () => {
  const view = hearing(SNAPSHOT, STOPPING);
  assert.equal(stateSentence(view, de, NOW), "Der Knoten hält an: der Besitzer hat darum gebeten");
});
