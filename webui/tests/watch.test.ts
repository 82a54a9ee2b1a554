import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ports } from "../src/stream/connection";
import type { News } from "../src/stream/view";
import { type Watch, watch } from "../src/stream/watch";
import { PLAIN_STATUS } from "./some";

const snapshot = (id: string): string => `event: snapshot\nid: ${id}\ndata: ${JSON.stringify(PLAIN_STATUS)}\n\n`;
const change = (id: string, data: object): string => `event: change\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;

/** One connection the page opened, from the node's side. */
class Connection {
  readonly headers: Headers;
  private readonly stream = new TransformStream<Uint8Array, Uint8Array>();
  private readonly pen = this.stream.writable.getWriter();
  private readonly answer: (response: Response) => void;
  readonly fail: (error: Error) => void;

  constructor(init: RequestInit, answer: (response: Response) => void, fail: (error: Error) => void) {
    this.headers = new Headers(init.headers);
    this.answer = answer;
    this.fail = fail;
    init.signal?.addEventListener("abort", () => {
      const error = new DOMException("hung up", "AbortError");
      fail(error);
      this.pen.abort(error).catch(() => undefined);
    });
  }

  open(): void {
    this.answer(new Response(this.stream.readable, { status: 200 }));
  }

  refuse(status: number, message: string, headers: Record<string, string> = {}): void {
    this.answer(Response.json({ error: { code: "x.y", message, details: {} } }, { status, headers }));
  }

  send(text: string): void {
    this.pen.write(new TextEncoder().encode(text)).catch(() => undefined);
  }

  end(): void {
    this.pen.close().catch(() => undefined);
  }
}

/** A node and a clock in the hands of the test. */
class Scene {
  readonly news: News[] = [];
  readonly connections: Connection[] = [];
  readonly timers: { at: number; then: () => void }[] = [];
  signedOut = 0;
  now = 1_000_000;
  private readonly ports: Ports = {
    fetch: (_address, init) => new Promise((answer, fail) => this.connections.push(new Connection(init, answer, fail))),
    now: () => this.now,
    chance: () => 0.999_999,
    after: (pause, then) => {
      const timer = { at: this.now + pause, then };
      this.timers.push(timer);
      return () => this.timers.splice(this.timers.indexOf(timer) >>> 0, 1);
    },
  };
  readonly watch: Watch = watch("secret", (news) => this.news.push(news), () => (this.signedOut += 1), this.ports);

  get last(): Connection {
    const last = this.connections.at(-1);
    assert.ok(last);
    return last;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async pass(time: number): Promise<void> {
    this.now += time;
    for (const timer of this.timers.filter(({ at }) => at <= this.now)) {
      this.timers.splice(this.timers.indexOf(timer), 1);
      timer.then();
    }
    await this.settle();
  }

  async live(): Promise<void> {
    this.last.open();
    this.last.send(snapshot("b1-1"));
    await this.settle();
  }

  lost(): Extract<News, { what: "lost" }>[] {
    return this.news.filter((news) => news.what === "lost");
  }
}

test("the token goes in a header, and the snapshot comes first", async () => {
  const scene = new Scene();
  assert.equal(scene.last.headers.get("Authorization"), "Bearer secret");
  assert.equal(scene.last.headers.get("Last-Event-ID"), null);
  await scene.live();
  assert.deepEqual(scene.news.map(({ what }) => what), ["opened", "status"]);
  scene.watch.stop();
});

test("a stream that breaks goes on after the last event, and nobody is alarmed", async () => {
  const scene = new Scene();
  await scene.live();
  await scene.pass(20_000);
  scene.last.send(change("b1-2", { kind: "node.claimed" }));
  await scene.settle();
  scene.last.end();
  await scene.settle();
  await scene.pass(500);
  assert.equal(scene.last.headers.get("Last-Event-ID"), "b1-2");
  scene.last.open();
  scene.last.send(change("b1-3", { kind: "service.changed", name: "store", state: "failed", message: "x" }));
  await scene.settle();
  assert.deepEqual(scene.lost(), []);
  const last = scene.news.at(-1);
  assert.ok(last?.what === "status" && !last.fresh && last.status.claimed && last.status.services[0]?.state === "failed");
  scene.watch.stop();
});

test("a node that stays away is told with the moment it was lost, and asked ever more seldom", async () => {
  const scene = new Scene();
  await scene.live();
  await scene.pass(20_000);
  const lostAt = scene.now;
  scene.last.end();
  await scene.settle();
  for (const pause of [500, 1000, 2000, 4000]) {
    await scene.pass(pause);
    scene.last.fail(new TypeError("no route"));
    await scene.settle();
  }
  assert.deepEqual(scene.lost().map(({ since, why }) => [since, why]), Array(4).fill([lostAt, "unreachable"]));
  assert.deepEqual(scene.lost().map(({ nextTry }) => nextTry - lostAt), [1500, 3500, 7500, 15_500]);
  scene.watch.stop();
});

test("a person can ask at once", async () => {
  const scene = new Scene();
  scene.last.fail(new TypeError("no route"));
  await scene.settle();
  assert.equal(scene.connections.length, 1);
  scene.watch.tryNow();
  await scene.settle();
  assert.equal(scene.connections.length, 2);
  scene.watch.stop();
});

test("long silence is said and the stream asked for again", async () => {
  const scene = new Scene();
  await scene.live();
  await scene.pass(30_000);
  scene.last.send(": still here\n\n");
  await scene.settle();
  await scene.pass(30_000);
  assert.ok(!scene.news.some(({ what }) => what === "quiet"));
  await scene.pass(20_000);
  assert.ok(scene.news.some(({ what }) => what === "quiet"));
  await scene.pass(500);
  assert.equal(scene.connections.length, 2);
  await scene.pass(10_000); // and no answer to that either
  assert.equal(scene.lost()[0]?.why, "silent");
  scene.watch.stop();
});

test("the reason of a stop is told beside the status", async () => {
  const scene = new Scene();
  await scene.live();
  scene.last.send(change("b1-2", { kind: "node.stopping", reason: "the owner asked for it" }));
  await scene.settle();
  assert.deepEqual(scene.news.at(-1), { what: "stopping", reason: "the owner asked for it" });
  scene.watch.stop();
});

test("a change that does not fit asks for a new snapshot, without a word", async () => {
  const scene = new Scene();
  await scene.live();
  scene.last.send(change("b1-2", { kind: "service.changed", name: "new", state: "running", message: "" }));
  await scene.settle();
  await scene.pass(500);
  assert.equal(scene.connections.length, 2);
  assert.equal(scene.last.headers.get("Last-Event-ID"), null);
  assert.deepEqual(scene.lost(), []);
  scene.watch.stop();
});

test("new snapshots come soon when changes ask for them now and then, and seldom when each one does", async () => {
  const misfit = change("b1-2", { kind: "config.changed", keys: ["node.name"], needs_restart: [] });
  const scene = new Scene();
  for (const lasted of [2000, 2000, 2000]) {
    await scene.live();
    await scene.pass(lasted);
    scene.last.send(misfit);
    await scene.settle();
    await scene.pass(500);
  }
  assert.equal(scene.connections.length, 4);
  for (const connections of [4, 5]) {
    await scene.live();
    scene.last.send(misfit);
    await scene.settle();
    await scene.pass(500);
    assert.equal(scene.connections.length, connections, "the pause grows");
    await scene.pass(1000);
  }
  scene.watch.stop();
});

test("a login that ended leads to the door, not to another try", async () => {
  const scene = new Scene();
  scene.last.refuse(401, "This key is not known here.");
  await scene.settle();
  await scene.pass(60_000);
  assert.equal(scene.signedOut, 1);
  assert.equal(scene.connections.length, 1);
});

test("a refusal is told in the node's words, and its wish to wait is kept", async () => {
  const scene = new Scene();
  const before = scene.now;
  scene.last.refuse(503, "The node is starting.", { "Retry-After": "7" });
  await scene.settle();
  assert.deepEqual(scene.lost(), [
    { what: "lost", why: "refused", message: "The node is starting.", since: before, nextTry: before + 7000 },
  ]);
  scene.watch.stop();
});

test("what cannot be read is told, and asked for afresh", async () => {
  const scene = new Scene();
  scene.last.open();
  scene.last.send("event: snapshot\nid: b1-1\ndata: {\n\n");
  await scene.settle();
  assert.equal(scene.lost()[0]?.why, "unreadable");
  await scene.pass(500);
  assert.equal(scene.last.headers.get("Last-Event-ID"), null);
  scene.watch.stop();
});

test("stopping ends the connection and asks no more", async () => {
  const scene = new Scene();
  await scene.live();
  scene.watch.stop();
  await scene.settle();
  await scene.pass(120_000);
  assert.equal(scene.connections.length, 1);
  assert.deepEqual(scene.timers, []);
});
