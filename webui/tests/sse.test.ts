import assert from "node:assert/strict";
import { test } from "node:test";
import { EndlessEventError, createParser } from "../src/stream/sse";

const TEXT = "event: snapshot\nid: b1-7\ndata: {\"a\":1}\n\n: still here\n\nevent: change\r\nid: b1-8\r\ndata: one\r\ndata: two\r\n\r\n";
const EVENTS = [
  { event: "snapshot", id: "b1-7", data: '{"a":1}' },
  { event: "change", id: "b1-8", data: "one\ntwo" },
];

test("events come out whole, whatever the pieces they arrive in", () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const parse = createParser();
    const sent = [];
    for (let at = 0; at < TEXT.length; at += size) sent.push(...parse(TEXT.slice(at, at + size)));
    assert.deepEqual(sent, EVENTS, `in pieces of ${size}`);
  }
});

test("an event without a name is a message, and keeps the id before it", () => {
  const parse = createParser();
  assert.deepEqual(parse("id: 1\n\ndata:x\n\ndata\n\n"), [
    { event: "message", id: "1", data: "x" },
    { event: "message", id: "1", data: "" },
  ]);
});

test("comments, unknown fields and a byte order mark say nothing", () => {
  const parse = createParser();
  assert.deepEqual(parse("\uFEFF: hello\nretry: 5\ncolour: red\n\n"), []);
});

test("an id with a zero byte is not taken", () => {
  const parse = createParser();
  assert.deepEqual(parse("id: a\0b\ndata: x\n\n"), [{ event: "message", id: "", data: "x" }]);
});

test("lines may end in a bare carriage return", () => {
  const parse = createParser();
  assert.deepEqual([...parse("data: x\r\r"), ...parse("data: y\r\rdata")], [
    { event: "message", id: "", data: "x" },
    { event: "message", id: "", data: "y" },
  ]);
});

test("a line that never ends is refused, and so are lines without end", () => {
  assert.throws(() => createParser(100)("data: ".padEnd(200, "x")), EndlessEventError);
  assert.throws(() => createParser(100)("data: x\n".repeat(40)), EndlessEventError);
});
