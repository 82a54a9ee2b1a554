"""Pages of somebody else, on this very machine: a web server that serves one page and remembers what browsers send."""

import contextlib
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVERYTHING = """async ([origin, code]) => {
    const seen = {};
    const told = (response) => response.type === "opaque" ? "opaque" : response.text().then((text) => `read ${text}`);
    const never = () => new Promise((resolve) => setTimeout(resolve, 3000, "nothing"));
    const attempt = async (name, make) => {
        seen[name] = await Promise.race([make().then(told).catch((error) => error.name), never()]);
    };
    const event = async (name, target, good, bad = "error") => {
        const heard = (word) => new Promise((resolve) => target.addEventListener(word, resolve, { once: true }));
        seen[name] = await Promise.race([heard(good).then(() => "read it"), heard(bad).then(() => "error"), never()]);
    };
    const claim = JSON.stringify({ code }), key = JSON.stringify({ name: "evil", scopes: ["inference"] });
    const json = { "Content-Type": "application/json" };
    const writes = [["POST", "/api/v1/claim", claim], ["POST", "/api/v1/login", claim], ["POST", "/api/v1/keys", key],
        ["PUT", "/api/v1/config/node.name", '{"value":"evil"}'], ["POST", "/api/v1/exposure", "{}"],
        ["POST", "/api/v1/admin/shutdown", ""], ["DELETE", "/api/v1/session", ""], ["POST", "/plain/leave", ""],
        ["POST", "/plain/claim", `code=${code}`], ["POST", "/api/v1/call/node.stop", "{}"]];
    const reads = ["/", "/healthz", "/metrics", "/api/v1/claim", "/api/v1/status", "/api/v1/keys", "/plain/status",
        "/plain/claim", "/api/v1/openapi.json", "/api/v1/stream", "/no/such/place"];
    for (const path of reads) {
        await attempt(`cors ${path}`, () => fetch(origin + path, { credentials: "include" }));
        await attempt(`no-cors ${path}`, () => fetch(origin + path, { mode: "no-cors", credentials: "include" }));
        await attempt(`same-origin ${path}`, () => fetch(origin + path, { mode: "same-origin" }));
    }
    for (const [method, path, body] of writes) {
        const sent = { method, body, credentials: "include" };
        const simple = { ...sent, mode: "no-cors", method: "POST" };
        await attempt(`cors ${method} ${path}`, () => fetch(origin + path, { ...sent, headers: json }));
        await attempt(`simple ${method} ${path}`,
                      () => fetch(origin + path, simple));
        await attempt(`keepalive ${method} ${path}`,
            () => fetch(origin + path, { ...simple, keepalive: true }));
        navigator.sendBeacon(origin + path, body);
        navigator.sendBeacon(origin + path, new URLSearchParams(body));
        for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
            const frame = Object.assign(document.createElement("iframe"), { name: `frame${Math.random()}` });
            document.body.append(frame);
            const form = document.body.appendChild(document.createElement("form"));
            Object.assign(form, { method: "post", action: origin + path, enctype, target: frame.name });
            const field = form.appendChild(document.createElement("input"));
            [field.name, field.value] = body.includes("=") ? body.split("=") : [`${body.slice(0, -1)},"x":"`, '"}'];
            const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
            form.submit();
            await Promise.race([loaded, never()]);
            try { seen[`form ${enctype} ${path}`] = `read ${frame.contentDocument.body.innerText}`; }
            catch (error) { seen[`form ${enctype} ${path}`] = error.name; }
        }
    }
    for (const path of ["/favicon.svg", "/assets/index.js", "/plain/look.css", "/api/v1/claim"]) {
        const image = new Image(); image.src = origin + path;
        await event(`image ${path}`, image, "load");
        const script = document.createElement("script"); script.src = origin + path;
        const loaded = event(`script ${path}`, script, "load"); document.head.append(script); await loaded;
        const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: origin + path });
        const styled = event(`style ${path}`, sheet, "load"); document.head.append(sheet); await styled;
    }
    for (const path of ["/api/v1/stream", "/"]) {
        const source = new EventSource(origin + path, { withCredentials: true });
        await event(`events ${path}`, source, "open"); source.close();
        const socket = new WebSocket(origin.replace("http", "ws") + path);
        await event(`socket ${path}`, socket, "open"); socket.close();
    }
    for (const path of ["/", "/plain/status", "/plain/claim"]) {
        const frame = document.createElement("iframe"); frame.src = origin + path;
        const loaded = event(`frame ${path}`, frame, "never", "load"); document.body.append(frame); await loaded;
        try { seen[`frame ${path}`] = `read ${frame.contentDocument.body.innerText}`; }
        catch (error) { seen[`frame ${path}`] = error.name; }
    }
    return seen;
}"""


@dataclass
class Elsewhere:
    """Another origin, and everything browsers told it."""

    port: int
    cookies: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def __init__(self, elsewhere: Elsewhere, planted: str, *arguments: Any) -> None:
        self._elsewhere = elsewhere
        self._planted = planted
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._elsewhere.cookies.append(self.headers.get("Cookie", ""))
        page = b"<!doctype html><title>Elsewhere</title><body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        if self._planted:
            self.send_header("Set-Cookie", self._planted)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@contextlib.contextmanager
def elsewhere(planted: str = "") -> Generator[Elsewhere]:
    """A web server on another port, which plants a cookie if told to."""
    found = Elsewhere(0)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, found, planted)) as server:
        found.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
