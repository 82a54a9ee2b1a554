import assert from "node:assert/strict";
import { test } from "node:test";
import { type Client, type Pass, RefusedError, createClient } from "../src/api/client";
import { codeIn, takeCode, tidyCode } from "../src/session/code";
import { type Session, createSession } from "../src/session/session";
import { type Channel, answerTabs, askTabs } from "../src/session/tabs";
import { type Vault, createVault } from "../src/session/vault";

const NOW = 1_000_000;
const PASS: Pass = { token: "thorp_s1_x", expires: NOW + 60_000 };

class FakeClient implements Client {
  readonly calls: string[] = [];
  owner = true;
  down = false;

  private async answering(call: string): Promise<void> {
    this.calls.push(call);
    if (this.down) throw new TypeError("no route");
  }

  async claimed(): Promise<boolean> {
    await this.answering("claimed");
    return this.owner;
  }

  async enter(door: "claim" | "login", code: string): Promise<Pass> {
    await this.answering(`${door} ${code}`);
    if (code !== "G00D1234") throw new RefusedError(401, "access.wrong_code", "This code is not valid.", 9);
    return PASS;
  }

  async leave(token: string): Promise<void> {
    await this.answering(`leave ${token}`);
  }
}

class FakeVault implements Vault {
  pass: Pass | null = null;
  read = (): Pass | null => this.pass;
  keep = (pass: Pass): void => void (this.pass = pass);
  forget = (): void => void (this.pass = null);
}

interface Scene {
  readonly client: FakeClient;
  readonly vault: FakeVault;
  readonly session: Session;
}

function scene(soon: Pass | null = null, ever: Promise<Pass | null> = Promise.resolve(soon)): Scene {
  const client = new FakeClient();
  const vault = new FakeVault();
  return { client, vault, session: createSession(client, vault, () => ({ soon: Promise.resolve(soon), ever })) };
}

test("codes are read as people type them", () => {
  assert.equal(tidyCode(" abcd-1o2l "), "ABCD1021");
  assert.equal(codeIn("#code=abcd1234"), "ABCD1234");
  assert.equal(codeIn("#/"), null);
});

test("a code leaves the address at once", () => {
  const replaced: string[] = [];
  const past = { replaceState: (_state: unknown, _title: string, address: string) => replaced.push(address) };
  const page = { hash: "#code=G00D1234", pathname: "/", search: "?x=1" };
  assert.equal(takeCode(page as Location, past as unknown as History), "G00D1234");
  assert.deepEqual(replaced, ["/?x=1"]);
  assert.equal(takeCode({ ...page, hash: "#/" } as Location, past as unknown as History), null);
  assert.equal(replaced.length, 1);
});

test("a code claims a node without owner, and logs into one with", async () => {
  for (const [owner, call] of [
    [false, "claim G00D1234"],
    [true, "login G00D1234"],
  ] as const) {
    const { client, vault, session } = scene();
    client.owner = owner;
    await session.arrive("G00D1234");
    assert.deepEqual(client.calls, ["claimed", call]);
    assert.deepEqual(session.standing.get(), { at: "inside", pass: PASS });
    assert.deepEqual(vault.pass, PASS);
  }
});

test("a wrong code is answered with what the node says to it, at the door", async () => {
  const { vault, session } = scene();
  await session.arrive("WRONG000");
  assert.deepEqual(session.standing.get(), {
    at: "door",
    arrival: "new",
    claimed: true,
    busy: false,
    problem: { what: "refused", code: "access.wrong_code", message: "This code is not valid.", triesLeft: 9 },
  });
  assert.equal(vault.pass, null);
});

test("this tab's own login comes before another tab's, and that before the door", async () => {
  const own = scene();
  own.vault.pass = PASS;
  await own.session.arrive(null);
  assert.equal(own.session.standing.get().at, "inside");

  const second = scene(PASS);
  await second.session.arrive(null);
  assert.equal(second.session.standing.get().at, "inside");
  assert.deepEqual(second.vault.pass, PASS);

  const stranger = scene();
  await stranger.session.arrive(null);
  assert.equal(stranger.session.standing.get().at, "door");
  assert.deepEqual(stranger.client.calls, ["claimed"]);
});

test("a slow tab's login still opens the door, unless somebody is just coming in", async () => {
  const slow = scene(null, Promise.resolve(PASS));
  await slow.session.arrive(null);
  assert.deepEqual(slow.session.standing.get(), { at: "inside", pass: PASS });
  assert.deepEqual(slow.client.calls, ["claimed"]);

  let answer = (_pass: Pass): void => undefined;
  const typed = scene(null, new Promise((resolve) => (answer = resolve)));
  const arriving = typed.session.arrive(null);
  await typed.session.enter("G00D1234");
  answer({ ...PASS, token: "thorp_s2_y" });
  await arriving;
  assert.deepEqual(typed.session.standing.get(), { at: "inside", pass: PASS });
});

test("a node that does not answer is not said to be without owner", async () => {
  const { client, session } = scene();
  client.down = true;
  await session.arrive(null);
  const standing = session.standing.get();
  assert.ok(standing.at === "door" && standing.claimed === null && standing.problem?.what === "unreachable");
});

test("signing out forgets first and tells the node then; unheard, it says so", async () => {
  const { client, vault, session } = scene();
  await session.arrive("G00D1234");
  await session.leave();
  assert.equal(vault.pass, null);
  assert.ok(client.calls.includes("leave thorp_s1_x"));
  const left = session.standing.get();
  assert.ok(left.at === "door" && left.arrival === "left");

  const deaf = scene();
  await deaf.session.arrive("G00D1234");
  deaf.client.down = true;
  await deaf.session.leave();
  const unheard = deaf.session.standing.get();
  assert.ok(unheard.at === "door" && unheard.arrival === "left_unheard");
  assert.equal(deaf.vault.pass, null);
});

test("a login that ended leads to the door", async () => {
  const { vault, session } = scene();
  await session.arrive("G00D1234");
  session.ended();
  const standing = session.standing.get();
  assert.ok(standing.at === "door" && standing.arrival === "ended");
  assert.equal(vault.pass, null);
});

test("the vault gives only what is a pass and still good", () => {
  const written = new Map<string, string>();
  const storage = {
    getItem: (key: string) => written.get(key) ?? null,
    setItem: (key: string, value: string) => void written.set(key, value),
    removeItem: (key: string) => void written.delete(key),
  } as unknown as Storage;
  let now = NOW;
  const vault = createVault(storage, () => now);
  assert.equal(vault.read(), null);
  vault.keep(PASS);
  assert.deepEqual(vault.read(), PASS);
  now = PASS.expires;
  assert.equal(vault.read(), null);
  for (const key of written.keys()) written.set(key, "{not json");
  assert.equal(vault.read(), null);
});

/** Tabs that hear each other, as a BroadcastChannel lets them. */
function tabs(origin: string): () => Channel {
  const all = new Set<EventTarget>();
  return () => {
    const own = new EventTarget();
    all.add(own);
    return {
      postMessage: (data) => {
        for (const other of all) if (other !== own) other.dispatchEvent(new MessageEvent("message", { data, origin }));
      },
      addEventListener: (type, listener) => own.addEventListener(type, listener as EventListener),
      removeEventListener: (type, listener) => own.removeEventListener(type, listener as EventListener),
    };
  };
}

const HOME = "http://127.0.0.1:8737";

test("an open tab lends its login to a new one", async () => {
  const open = tabs(HOME);
  answerTabs(open(), HOME, () => PASS);
  const { soon, ever } = askTabs(open(), HOME, "q1", () => NOW, 100, 100);
  assert.deepEqual([await soon, await ever], [PASS, PASS]);
});

test("a tab that answers late is heard late", async () => {
  const open = tabs(HOME);
  const busy = open();
  const { soon, ever } = askTabs(open(), HOME, "q1", () => NOW, 1, 500);
  assert.equal(await soon, null);
  busy.postMessage({ answer: "q1", pass: PASS });
  assert.deepEqual(await ever, PASS);
});

test("nobody answers a foreign origin, and no foreign answer is taken", async () => {
  const foreign = tabs("http://evil.example");
  answerTabs(foreign(), HOME, () => PASS);
  assert.equal(await askTabs(foreign(), "http://evil.example", "q1", () => NOW, 5, 5).ever, null);

  const lying = tabs("http://evil.example");
  const liar = lying();
  liar.addEventListener("message", () => liar.postMessage({ answer: "q1", pass: PASS }));
  assert.equal(await askTabs(lying(), HOME, "q1", () => NOW, 5, 5).ever, null);
});

test("tabs without a login, with an old one, or asked something else say nothing", async () => {
  const open = tabs(HOME);
  answerTabs(open(), HOME, () => null);
  answerTabs(open(), HOME, () => ({ ...PASS, expires: NOW }));
  assert.equal(await askTabs(open(), HOME, "q1", () => NOW, 5, 5).ever, null);
});

test("the client sends no cookie and reads refusals and answers", async () => {
  const sent: [string, RequestInit][] = [];
  const answers = [
    Response.json({ token: "t", expires: "2026-05-04T08:00:00Z" }, { status: 201 }),
    Response.json({ error: { code: "access.wrong_code", message: "No." } }, { status: 401 }),
    Response.json({ error: { code: "access.wrong_code", message: "No.", details: { tries_left: 4 } } }, { status: 401 }),
    new Response("<html>", { status: 502 }),
  ];
  const client = createClient(async (address, init) => {
    sent.push([address, init]);
    return answers.shift() ?? Response.error();
  });
  assert.deepEqual(await client.enter("login", "G00D1234"), { token: "t", expires: Date.parse("2026-05-04T08:00:00Z") });
  const wrong = { message: "No.", status: 401, code: "access.wrong_code" };
  await assert.rejects(client.enter("claim", "x"), { ...wrong, triesLeft: null });
  await assert.rejects(client.enter("claim", "x"), { ...wrong, triesLeft: 4 });
  await assert.rejects(client.leave("t"), { message: "HTTP 502" });
  assert.deepEqual(sent.map(([address]) => address), ["/api/v1/login", "/api/v1/claim", "/api/v1/claim", "/api/v1/session"]);
  assert.ok(sent.every(([, init]) => init.credentials === "omit"));
});
