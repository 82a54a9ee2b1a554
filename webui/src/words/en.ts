/** Every text of the dashboard in English. `Words` is its shape; another language without one of them does not compile. */

interface AtDoorOf {
  readonly claimSays: string;
  readonly loginSays: string;
  readonly hint: readonly [before: string, after: string]; // around the command
}

export interface Words {
  readonly language: string;
  readonly rooms: { readonly home: string };
  readonly frame: {
    readonly skip: string;
    readonly rooms: string;
    readonly thisNode: string;
    readonly signOut: string;
    readonly chooseLanguage: string;
    readonly languages: { readonly en: string; readonly de: string };
    readonly broken: string;
    readonly reload: string;
  };
  readonly door: {
    readonly claimTitle: string;
    readonly loginTitle: string;
    readonly near: AtDoorOf; // at an address of the node's own machine
    readonly away: AtDoorOf; // at any other, where only some codes count
    readonly lookingSays: string;
    readonly aloneTitle: string;
    readonly aloneSays: string;
    readonly code: string;
    readonly claim: string;
    readonly login: string;
    readonly entering: string;
    readonly tryAgain: string;
    readonly shortCode: (length: number) => string;
    readonly unreachable: string;
    readonly wrongCode: (triesLeft: number | null, anywhere: boolean) => string;
    readonly codeBurned: (anywhere: boolean) => string;
    readonly alreadyClaimed: (command: string) => string;
    readonly readable: string;
    readonly arrivals: { readonly ended: string; readonly left: string; readonly left_unheard: string };
  };
  readonly link: {
    readonly asking: string;
    readonly neverHeard: string;
    readonly away: (since: string) => string;
    readonly ended: (since: string) => string;
    readonly silent: (since: string) => string;
    readonly quiet: string;
    readonly refused: (message: string) => string;
    readonly unreadable: string;
    readonly stopping: (reason: string) => string;
    readonly stopped: (since: string, reason: string) => string;
    readonly back: (after: string) => string;
    readonly nextTry: (seconds: number) => string;
    readonly trying: string;
    readonly tryNow: string;
    readonly lastHeard: string;
    readonly titleAway: string;
  };
  readonly state: {
    readonly allRun: string;
    readonly failed: (names: readonly string[]) => string;
    readonly comingUp: (running: number, all: number) => string;
    readonly onlyHere: string;
    readonly exposed: (address: string) => string;
  };
  readonly states: Readonly<Record<KnownState, string>>;
  readonly since: (when: string) => string;
  readonly attention: {
    readonly title: string;
    readonly restart: (count: number) => string;
    readonly restartRemedy: string;
    readonly unclean: string;
    readonly unclaimed: string;
  };
  readonly machine: {
    readonly title: string;
    readonly id: string;
    readonly version: string;
    readonly uptime: string;
    readonly memory: string;
    readonly disk: string;
    readonly freeOf: (free: string, total: string) => string;
    readonly process: string;
    readonly readAt: (when: string) => string;
    readonly unknown: string;
  };
  readonly listeners: {
    readonly title: string;
    readonly kinds: Readonly<Record<KnownListener, string>>;
    readonly none: string;
  };
  readonly services: {
    readonly title: string;
    readonly name: string;
    readonly state: string;
    readonly since: string;
    readonly message: string;
    readonly none: string;
  };
  readonly capabilities: {
    readonly title: string;
    readonly id: string;
    readonly does: string;
    readonly state: string;
    readonly listed: string;
    readonly notListed: string;
    readonly count: (listed: number, all: number) => string;
    readonly none: string;
    readonly unfold: string;
    readonly fold: string;
  };
  readonly copy: { readonly verb: (what: string) => string; readonly done: string; readonly byHand: string };
  /** What the node itself says in fixed sentences, by the sentence; not needed where the node already speaks the language. */
  readonly phrases: Readonly<Record<string, string>>;
  readonly units: { readonly day: string; readonly hour: string; readonly minute: string; readonly second: string };
}

export type KnownState =
  | "waiting"
  | "starting"
  | "running"
  | "ready"
  | "restarting"
  | "stopping"
  | "stopped"
  | "failed"
  | "listening"
  | "open"
  | "closed";

export type KnownListener = "local" | "socket" | "exposed" | "mesh" | "tracker";

const newCode = (anywhere: boolean): string =>
  anywhere ? "`thorp open --anywhere` makes one that counts here." : "`thorp open` makes a new one.";

function triesOf(left: number | null): string {
  if (left === null) return "";
  if (left <= 0) return "None is open now.";
  return left === 1 ? "One try is left." : `${left} tries are left.`;
}

const names = new Intl.ListFormat("en");
const named = (exact: readonly string[]): string => names.format(exact.map((name) => `\`${name}\``));

export const en: Words = {
  language: "en",
  rooms: { home: "Home" },
  frame: {
    skip: "Go to the content",
    rooms: "Rooms",
    thisNode: "This node",
    signOut: "Sign out",
    chooseLanguage: "Language",
    languages: { en: "English", de: "Deutsch" },
    broken: "This page broke. Your node goes on; load the page again.",
    reload: "Load again",
  },
  door: {
    claimTitle: "Move in",
    loginTitle: "Welcome back",
    near: {
      claimSays: "This node has no owner yet. Type the code it shows in its terminal; the code works once, for 15 minutes.",
      loginSays: "Type a login code to come in; `thorp open --print` shows one.",
      hint: ["On the machine itself you need no code:", "opens this page logged in."],
    },
    away: {
      claimSays:
        "This node has no owner yet. Type a code to claim it; here only one of `thorp open --anywhere` counts, once, for 15 minutes.",
      loginSays: "Type a login code to come in. Here only one of `thorp open --anywhere` counts.",
      hint: ["On the node's own machine", "shows a code that counts here as well."],
    },
    lookingSays: "Asking the node who you are.",
    aloneTitle: "Nobody answers",
    aloneSays: "The node does not answer here. Start it, then try again.",
    code: "Code",
    claim: "Claim",
    login: "Come in",
    entering: "The node checks your code…",
    tryAgain: "Try again",
    shortCode: (length) => `A code has ${length} letters and digits.`,
    unreachable: "The node does not answer. Try again in a moment.",
    wrongCode: (left, anywhere) =>
      ["This code is not valid" + (anywhere ? " from here." : "."), triesOf(left), newCode(anywhere)].filter(Boolean).join(" "),
    codeBurned: (anywhere) => `Too many wrong codes; what was open is void. ${newCode(anywhere)}`,
    alreadyClaimed: (command) => `This node is claimed already. \`${command}\` signs another browser in.`,
    readable:
      "A login is not handed out over an unencrypted connection. Sign in on the machine itself, or expose the node with TLS.",
    arrivals: {
      ended: "Your login has ended.",
      left: "You are signed out.",
      left_unheard: "You are signed out here, but the node did not hear it. Your old login ends by itself.",
    },
  },
  link: {
    asking: "Asking the node how it is.",
    neverHeard: "The node does not answer. This page keeps asking.",
    away: (since) => `The node does not answer since ${since}. You see what it said last.`,
    ended: (since) => `The connection to the node ended at ${since}. You see what it said last.`,
    silent: (since) => `The node is silent since ${since}. You see what it said last.`,
    quiet: "Nothing was heard from the node for a while. Asking again.",
    refused: (message) => `The node says no: ${message}`,
    unreadable: "The node says something this page cannot read. It may be newer than this page; load it again.",
    stopping: (reason) => (reason ? `The node is stopping: ${reason}` : "The node is stopping."),
    stopped: (since, reason) => `The node stopped at ${since}${reason && ` (${reason})`}. This page goes on when it is back.`,
    back: (after) => `The node is back. It was away for ${after}.`,
    nextTry: (seconds) => `Next try in ${seconds} s`,
    trying: "Trying…",
    tryNow: "Try now",
    lastHeard: "last heard",
    titleAway: "no answer",
  },
  state: {
    allRun: "Everything runs.",
    failed: (failed) =>
      failed.length === 1
        ? `The service ${named(failed)} needs your attention.`
        : `The services ${named(failed)} need your attention.`,
    comingUp: (running, all) => `Coming up: ${running} of ${all} services run.`,
    onlyHere: "Only this machine can reach your node.",
    exposed: (address) => `Your network can reach your node at \`${address}\`.`,
  },
  states: {
    waiting: "waiting",
    starting: "starting",
    running: "running",
    ready: "ready",
    restarting: "starting again",
    stopping: "stopping",
    stopped: "stopped",
    failed: "failed",
    listening: "open",
    open: "open",
    closed: "closed",
  },
  since: (when) => `since ${when}`,
  attention: {
    title: "Needs attention",
    restart: (count) => (count === 1 ? "One setting waits for a restart:" : `${count} settings wait for a restart:`),
    restartRemedy: "To apply, restart the node: `thorp down`, then `thorp up`.",
    unclean: "The node did not stop cleanly last time. It checked its data when it started.",
    unclaimed: "This node has no owner yet.",
  },
  machine: {
    title: "This machine",
    id: "Id",
    version: "Version",
    uptime: "Running for",
    memory: "Memory of the node",
    disk: "Disk",
    freeOf: (free, total) => `${free} free of ${total}`,
    process: "Process",
    readAt: (when) => `Memory and disk as of ${when}`,
    unknown: "unknown",
  },
  listeners: {
    title: "Ways in",
    kinds: {
      local: "Dashboard and API",
      socket: "Command line",
      exposed: "Your network",
      mesh: "Other nodes",
      tracker: "Other BitTorrent clients",
    },
    none: "No way in is open.",
  },
  services: {
    title: "Services",
    name: "Service",
    state: "State",
    since: "Since",
    message: "Message",
    none: "No service runs yet.",
  },
  capabilities: {
    title: "Capabilities",
    id: "Capability",
    does: "What it does",
    state: "State",
    listed: "listed",
    notListed: "not listed",
    count: (listed, all) => `${listed} of ${all} listed`,
    none: "This node offers nothing yet.",
    unfold: "Show what they do",
    fold: "Show the names only",
  },
  copy: { verb: (what) => `Copy ${what}`, done: "Copied", byHand: "Selected; copy it with your keyboard" },
  phrases: {},
  units: { day: "d", hour: "h", minute: "min", second: "s" },
};
