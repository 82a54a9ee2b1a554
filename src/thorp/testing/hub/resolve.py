"""Files of the fake hub: what is small it hands out itself, what is large stands behind a signed link to the CDN."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from thorp.base.clock import Randomness
from thorp.testing.hub.answers import Answer, Headers, redirect, refusal, text_answer
from thorp.testing.hub.api import Gate
from thorp.testing.hub.content import Content
from thorp.testing.hub.repos import Commit, Repo, Shelf
from thorp.testing.hub.request import Request, span_of

_FOLDER: Final = "xet-bridge"
_MANY_YEARS: Final = 4_102_444_800  # when links end, for whoever reads it: 2100


@dataclass(frozen=True, slots=True)
class Link:
    """What one signed link stands for."""

    repo: str
    commit: str
    file: str


@dataclass(eq=False, slots=True)
class Links:
    """Signs links and knows its own again, until they are let expire."""

    randomness: Randomness
    _key: bytes = field(default=b"")

    def expire(self) -> None:
        self._key = self.randomness.bytes(32)

    def url(self, cdn: str, link: Link, content: Content) -> str:
        """Never the same twice."""
        name = link.file.rpartition("/")[2]
        policy = base64.urlsafe_b64encode(json.dumps([link.repo, link.commit, link.file]).encode()).decode()
        nonce = self.randomness.bytes(8).hex()
        query = urlencode(
            {
                "X-Xet-Cas-Uid": nonce,
                "response-content-disposition": f"inline; filename*=UTF-8''{quote(name)}; filename=\"{name}\";",
                "Expires": _MANY_YEARS,
                "Policy": policy,
                "Signature": self._signature(policy, nonce, content.object),
                "Key-Pair-Id": "K2FAKEHUB",
            }
        )
        return f"{cdn}/{_FOLDER}/{_folder_of(link.repo)}/{content.object}?{query}"

    def read(self, request: Request) -> Link | None:
        """What a link stands for; None when its signature is not ours, or no longer."""
        policy, nonce, name = request.one("Policy"), request.one("X-Xet-Cas-Uid"), request.segments[-1]
        expected = self._signature(policy, nonce, name)
        if not hmac.compare_digest(expected.encode(), request.one("Signature").encode()):
            return None
        return Link(*json.loads(base64.urlsafe_b64decode(policy)))

    def _signature(self, policy: str, nonce: str, name: str) -> str:
        if not self._key:
            self.expire()
        return hmac.new(self._key, f"{policy} {nonce} {name}".encode(), hashlib.sha256).hexdigest()


def _folder_of(repo: str) -> str:
    return hashlib.sha256(repo.encode()).hexdigest()[:24]


def asks_for_file(request: Request) -> bool:
    """`/org/repo/resolve/revision/path`."""
    pieces = request.segments
    return pieces[2:3] == ("resolve",) and len(pieces[3:]) > 1


@dataclass(frozen=True, slots=True)
class Resolver:
    """The hub's side."""

    gate: Gate
    links: Links
    cdn: str

    def answer(self, request: Request) -> Answer:
        pieces = request.segments
        repo = self.gate.repo(request, "/".join(pieces[:2]))
        if isinstance(repo, Answer):
            return repo
        if repo.about.gated and not self.gate.opens(request, repo):
            return _gated(request, repo)
        commit = repo.at(pieces[3])
        if commit is None:
            return refusal(404, "RevisionNotFound", f"Invalid rev id: {pieces[3]}")
        path = "/".join(pieces[4:])
        if path not in commit.files:
            return refusal(404, "EntryNotFound", "Entry not found", ("X-Repo-Commit", commit.id))
        return self.of_file(request, Link(repo.name, commit.id, path), commit)

    def of_file(self, request: Request, link: Link, commit: Commit) -> Answer:
        content = commit.files[link.file]
        headers: Headers = (("X-Repo-Commit", commit.id), ("Accept-Ranges", "bytes"))
        if not content.is_large:
            return ranged(request, content, content.blob, *headers, ("Content-Type", "text/plain; charset=utf-8"))
        etag = f'"{content.sha256}"'
        linked = (("X-Linked-Size", str(content.size)), ("X-Linked-ETag", etag), ("ETag", etag))
        return redirect(302, self.links.url(self.cdn, link, content), *headers, *linked)

    def content(self, request: Request) -> tuple[Link, Content] | None:
        """Which file a request means, whoever asks; for the log and the faults."""
        pieces = request.segments
        shelf = self.gate.shelf
        name = "/".join(pieces[:2])
        repo = shelf.repos.get(shelf.renamed.get(name, name))
        commit = repo.at(pieces[3]) if repo else None
        path = "/".join(pieces[4:])
        content = commit.files.get(path) if commit else None
        return (Link(repo.name, commit.id, path), content) if repo and commit and content else None


def _gated(request: Request, repo: Repo) -> Answer:
    what = f"Access to model {repo.name} is restricted"
    if request.token is None:
        return refusal(401, "GatedRepo", f"{what}. You must have access to it and be authenticated to access it.")
    return refusal(403, "GatedRepo", f"{what} and you are not in the authorized list.")


@dataclass(frozen=True, slots=True)
class Cdn:
    """The other host: bytes for whoever holds a link, and nothing for whoever brings a token along."""

    shelf: Shelf
    links: Links

    def answer(self, request: Request) -> Answer:
        if "authorization" in request.headers:
            return text_answer(400, "<Error><Code>InvalidArgument</Code></Error>", kind="application/xml")
        found = self.content(request)
        if found is None:
            return text_answer(403, "<Error><Code>AccessDenied</Code></Error>", kind="application/xml")
        _, content = found
        name = request.one("response-content-disposition")
        headers = (("Accept-Ranges", "bytes"), ("Content-Disposition", name.encode("ascii", "replace").decode()))
        return ranged(request, content, content.object, *headers, ("Content-Type", "application/octet-stream"))

    def content(self, request: Request) -> tuple[Link, Content] | None:
        """Which file the link stands for."""
        link = self.links.read(request)
        repo = self.shelf.repos.get(self.shelf.renamed.get(link.repo, link.repo)) if link else None
        commit = repo.at(link.commit) if link and repo else None
        content = commit.files.get(link.file) if link and commit else None
        return (link, content) if link and content else None


def ranged(request: Request, content: Content, etag: str, *headers: tuple[str, str]) -> Answer:
    """A file, or what is asked for of it."""
    tagged = (*headers, ("ETag", f'"{etag}"'))
    asked = request.range if request.headers.get("if-range", f'"{etag}"') == f'"{etag}"' else None
    span = span_of(asked, content.length)
    if span is None:
        nothing = text_answer(416, "<Error><Code>InvalidRange</Code></Error>", kind="application/xml")
        return nothing.having("Content-Range", f"bytes */{content.length}")
    first, end = span
    body = (content.part(first, end),) if first < end else ()
    if asked is None:
        return Answer(200, tagged, body, first)
    return Answer(206, (*tagged, ("Content-Range", f"bytes {first}-{end - 1}/{content.length}")), body, first)
