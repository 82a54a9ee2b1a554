/** Every text of the dashboard in German. */

import type { Words } from "./en";
import phrases from "./phrases.de.json";

const newCode = (anywhere: boolean): string =>
  anywhere ? "`thorp open --anywhere` macht einen, der hier gilt." : "`thorp open` macht einen neuen.";

function triesOf(left: number | null): string {
  if (left === null) return "";
  if (left <= 0) return "Gerade ist keiner offen.";
  return left === 1 ? "Ein Versuch bleibt." : `${left} Versuche bleiben.`;
}

const names = new Intl.ListFormat("de");
const named = (exact: readonly string[]): string => names.format(exact.map((name) => `\`${name}\``));

export const de: Words = {
  language: "de",
  rooms: { home: "Zuhause" },
  frame: {
    skip: "Zum Inhalt",
    rooms: "Räume",
    thisNode: "Dieser Knoten",
    signOut: "Abmelden",
    chooseLanguage: "Sprache",
    languages: { en: "English", de: "Deutsch" },
    broken: "Diese Seite ist entzwei. Dein Knoten läuft weiter; lade die Seite neu.",
    reload: "Neu laden",
  },
  door: {
    claimTitle: "Zieh ein",
    loginTitle: "Willkommen zurück",
    near: {
      claimSays:
        "Dieser Knoten gehört noch niemandem. Gib den Code ein, den er in seinem Terminal zeigt; er gilt einmal, 15 Minuten lang.",
      loginSays: "Gib einen Anmeldecode ein; `thorp open --print` zeigt einen.",
      hint: ["Am Rechner selbst brauchst du keinen Code:", "öffnet diese Seite angemeldet."],
    },
    away: {
      claimSays:
        "Dieser Knoten gehört noch niemandem. Gib einen Code ein, um ihn zu übernehmen; hier gilt nur einer von `thorp open --anywhere`, einmal, 15 Minuten lang.",
      loginSays: "Gib einen Anmeldecode ein. Hier gilt nur einer von `thorp open --anywhere`.",
      hint: ["Am Rechner des Knotens zeigt", "einen Code, der auch hier gilt."],
    },
    lookingSays: "Der Knoten wird gefragt, wer du bist.",
    aloneTitle: "Niemand antwortet",
    aloneSays: "Der Knoten antwortet hier nicht. Starte ihn und versuche es dann noch einmal.",
    code: "Code",
    claim: "Übernehmen",
    login: "Hereinkommen",
    entering: "Der Knoten prüft deinen Code…",
    tryAgain: "Noch einmal versuchen",
    shortCode: (length) => `Ein Code hat ${length} Buchstaben und Ziffern.`,
    unreachable: "Der Knoten antwortet nicht. Versuche es gleich noch einmal.",
    wrongCode: (left, anywhere) =>
      ["Dieser Code gilt " + (anywhere ? "von hier nicht." : "nicht."), triesOf(left), newCode(anywhere)].filter(Boolean).join(" "),
    codeBurned: (anywhere) => `Zu viele falsche Codes; was offen war, gilt nicht mehr. ${newCode(anywhere)}`,
    alreadyClaimed: (command) => `Dieser Knoten gehört schon jemandem. \`${command}\` meldet einen weiteren Browser an.`,
    readable:
      "Über eine unverschlüsselte Verbindung gibt der Knoten keine Anmeldung heraus. Melde dich am Rechner selbst an, oder gib dem Zugang für andere Geräte TLS.",
    arrivals: {
      ended: "Deine Anmeldung gilt nicht mehr.",
      left: "Du bist abgemeldet.",
      left_unheard: "Du bist hier abgemeldet, aber der Knoten hat es nicht gehört. Deine alte Anmeldung endet von selbst.",
    },
  },
  link: {
    asking: "Der Knoten wird gefragt, wie es ihm geht.",
    neverHeard: "Der Knoten antwortet nicht. Diese Seite fragt weiter.",
    away: (since) => `Der Knoten antwortet seit ${since} nicht. Du siehst, was er zuletzt gesagt hat.`,
    ended: (since) => `Die Verbindung zum Knoten endete um ${since}. Du siehst, was er zuletzt gesagt hat.`,
    silent: (since) => `Der Knoten schweigt seit ${since}. Du siehst, was er zuletzt gesagt hat.`,
    quiet: "Vom Knoten war eine Weile nichts zu hören. Er wird neu gefragt.",
    refused: (message) => `Der Knoten sagt nein: ${message}`,
    unreadable: "Der Knoten sagt etwas, das diese Seite nicht lesen kann. Er ist vielleicht neuer als sie; lade sie neu.",
    stopping: (reason) => (reason ? `Der Knoten hält an: ${reason}` : "Der Knoten hält an."),
    stopped: (since, reason) =>
      `Der Knoten hat um ${since} angehalten${reason && ` (${reason})`}. Diese Seite macht weiter, wenn er zurück ist.`,
    back: (after) => `Der Knoten ist zurück. Er war ${after} weg.`,
    nextTry: (seconds) => `Nächster Versuch in ${seconds} s`,
    trying: "Versuch läuft…",
    tryNow: "Jetzt versuchen",
    lastHeard: "zuletzt gehört",
    titleAway: "keine Antwort",
  },
  state: {
    allRun: "Alles läuft.",
    failed: (failed) =>
      failed.length === 1
        ? `Der Dienst ${named(failed)} braucht deine Aufmerksamkeit.`
        : `Die Dienste ${named(failed)} brauchen deine Aufmerksamkeit.`,
    comingUp: (running, all) => `Es geht los: ${running} von ${all} Diensten laufen.`,
    onlyHere: "Nur dieser Rechner erreicht deinen Knoten.",
    exposed: (address) => `Dein Netz erreicht deinen Knoten unter \`${address}\`.`,
  },
  states: {
    waiting: "wartet",
    starting: "startet",
    running: "läuft",
    ready: "bereit",
    restarting: "startet neu",
    stopping: "hält an",
    stopped: "angehalten",
    failed: "ausgefallen",
    listening: "offen",
    open: "offen",
    closed: "geschlossen",
  },
  since: (when) => `seit ${when}`,
  attention: {
    title: "Braucht Aufmerksamkeit",
    restart: (count) => (count === 1 ? "Eine Einstellung wartet auf einen Neustart:" : `${count} Einstellungen warten auf einen Neustart:`),
    restartRemedy: "Damit das gilt, starte den Knoten neu: `thorp down`, dann `thorp up`.",
    unclean: "Der Knoten wurde zuletzt nicht sauber beendet. Er hat seine Daten beim Start geprüft.",
    unclaimed: "Dieser Knoten gehört noch niemandem.",
  },
  machine: {
    title: "Dieser Rechner",
    id: "Kennung",
    version: "Version",
    uptime: "Läuft seit",
    memory: "Speicher des Knotens",
    disk: "Festplatte",
    freeOf: (free, total) => `${free} von ${total} frei`,
    process: "Prozess",
    readAt: (when) => `Speicher und Festplatte: Stand ${when}`,
    unknown: "unbekannt",
  },
  listeners: {
    title: "Zugänge",
    kinds: {
      local: "Oberfläche und API",
      socket: "Kommandozeile",
      exposed: "Dein Netz",
      mesh: "Andere Knoten",
      tracker: "Andere BitTorrent-Programme",
    },
    none: "Kein Zugang ist offen.",
  },
  services: {
    title: "Dienste",
    name: "Dienst",
    state: "Zustand",
    since: "Seit",
    message: "Meldung",
    none: "Noch läuft kein Dienst.",
  },
  capabilities: {
    title: "Fähigkeiten",
    id: "Fähigkeit",
    does: "Was sie tut",
    state: "Zustand",
    listed: "gelistet",
    notListed: "nicht gelistet",
    count: (listed, all) => `${listed} von ${all} gelistet`,
    none: "Dieser Knoten bietet noch nichts an.",
    unfold: "Zeigen, was sie tun",
    fold: "Nur die Namen zeigen",
  },
  copy: { verb: (what) => `${what} kopieren`, done: "Kopiert", byHand: "Markiert; kopiere es mit der Tastatur" },
  phrases,
  units: { day: "Tg", hour: "Std", minute: "Min", second: "s" },
};
