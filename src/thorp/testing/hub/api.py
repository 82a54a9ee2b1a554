"""The hub's JSON interface: search, facts, trees, refs, and who is asking. Decides only; nothing is sent here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode

from thorp.testing.hub import listing
from thorp.testing.hub.answers import Answer, json_answer, redirect, refusal
from thorp.testing.hub.repos import MAIN, Commit, Repo, Shelf
from thorp.testing.hub.request import Request

_API: Final = ("api", "models")
_OF_REPO: Final = 4  # pieces: api, models, org, repo
_EXPANDED_PAGE: Final = 50  # entries of a tree, when each is expanded


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may see what."""

    shelf: Shelf
    tokens: dict[str, set[str]]  # which gated and private repositories a token opens

    def repo(self, request: Request, name: str) -> Repo | Answer:
        """The repository, or how the hub denies that it exists."""
        token = request.token
        if token is not None and token not in self.tokens:
            return refusal(401, "", "Invalid credentials in Authorization header")
        if name in self.shelf.renamed:
            return moved(request, name, self.shelf.renamed[name])
        repo = self.shelf.repos.get(name)
        if repo and (not repo.about.private or self.opens(request, repo)):
            return repo
        if token is None:
            return refusal(401, "RepoNotFound", "Invalid username or password.")
        return refusal(404, "RepoNotFound", "Repository not found")

    def opens(self, request: Request, repo: Repo) -> bool:
        return repo.name in self.tokens.get(request.token or "", ())

    def sees(self, request: Request, repo: Repo) -> bool:
        return not repo.about.private or self.opens(request, repo)


def moved(request: Request, old: str, new: str) -> Answer:
    return redirect(307, request.target.replace(f"/{old}", f"/{new}", 1))


@dataclass(frozen=True, slots=True)
class Api:
    """Answers whatever begins with `/api/`."""

    gate: Gate
    url: str
    page: int

    def answer(self, request: Request) -> Answer:
        pieces = request.segments
        if pieces == ("api", "whoami-v2"):
            return self.who(request)
        if pieces == _API:
            return self.search(request)
        if pieces[:2] != _API or len(pieces) < _OF_REPO:
            return refusal(404, "", "Sorry, we can't find the page you are looking for.")
        repo = self.gate.repo(request, "/".join(pieces[2:4]))
        if isinstance(repo, Answer):
            return repo
        return self.of_repo(request, repo, pieces[4:])

    def of_repo(self, request: Request, repo: Repo, rest: tuple[str, ...]) -> Answer:
        verb, revision = rest[0] if rest else "", rest[1] if len(rest) > 1 else MAIN
        if verb == "refs":
            return json_answer(_refs(repo))
        if verb not in ("", "revision", "tree", "paths-info"):
            return refusal(404, "", "Sorry, we can't find the page you are looking for.")
        commit = repo.at(revision)
        if commit is None:
            return refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if verb == "tree":
            return self.tree(request, commit, "/".join(rest[2:]).strip("/"))
        if verb == "paths-info":
            return paths_info(request, commit)
        return info(request, repo, commit)

    def who(self, request: Request) -> Answer:
        if request.token not in self.gate.tokens:
            return refusal(401, "", "Invalid username or password.")
        token = {"displayName": "test", "role": "read"}
        return json_answer({"type": "user", "id": "0" * 24, "name": "tester", "auth": {"accessToken": token}})

    def search(self, request: Request) -> Answer:
        found = [repo for repo in self.gate.shelf.everything() if self.gate.sees(request, repo)]
        chosen = ordered([repo for repo in found if matches(request, repo)], request.one("sort"))
        most = min(request.number("limit", self.page), self.page)
        names = list_fields(request)
        shown, following = listing.page(chosen, request.one("cursor"), most)
        items = [listing.facts(repo, repo.head, names) | {"modelId": repo.name} for repo in shown]
        return json_answer(items, *self.next_page(request, following))

    def tree(self, request: Request, commit: Commit, folder: str) -> Answer:
        paths = listing.paths_below(commit, folder, request.flag("recursive"))
        if paths is None:
            return refusal(404, "EntryNotFound", f"{folder} does not exist on this revision")
        expand = request.flag("expand")
        most = min(request.number("limit", self.page), self.page, _EXPANDED_PAGE if expand else self.page)
        shown, following = listing.page(paths, request.one("cursor"), most)
        return json_answer(entries(commit, shown, expand), *self.next_page(request, following))

    def next_page(self, request: Request, cursor: str | None) -> tuple[tuple[str, str], ...]:
        if cursor is None:
            return ()
        kept = [(name, text) for name, texts in parse_qs(request.query).items() if name != "cursor" for text in texts]
        return (("Link", f'<{self.url}{request.path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'),)


def matches(request: Request, repo: Repo) -> bool:
    """Every word stands in the name, every filter is a tag."""
    words = request.one("search").lower().split()
    gated = request.one("gated").lower()
    return (
        all(word in repo.name.lower() for word in words)
        and request.one("author") in ("", repo.name.partition("/")[0])
        and set(request.every("filter")) <= set(listing.tags_of(repo))
        and gated in ("", str(bool(repo.about.gated)).lower())
    )


def ordered(repos: list[Repo], by: str) -> list[Repo]:
    """Greatest first; what is equal stays in the order it came in."""
    if by == "downloads":
        return sorted(repos, key=lambda repo: -repo.about.downloads)
    if by in ("lastModified", "createdAt"):
        which = -1 if by == "lastModified" else 0
        return sorted(repos, key=lambda repo: repo.commits[which].date, reverse=True)
    return sorted(repos, key=lambda repo: -repo.about.likes)


def list_fields(request: Request) -> Sequence[str]:
    if expand := request.every("expand"):
        return [name for name in expand if name in listing.EXPANDABLE]
    plain = listing.IN_A_FULL_LIST if request.flag("full") else listing.IN_A_LIST
    return (*plain, "cardData") if request.flag("cardData") else plain


def info(request: Request, repo: Repo, commit: Commit) -> Answer:
    if expand := request.every("expand"):
        if unknown := [name for name in expand if name not in listing.EXPANDABLE]:
            return refusal(400, "", f"Invalid option for expand: {', '.join(unknown)}")
        return json_answer(listing.facts(repo, commit, expand))
    said = listing.facts(repo, commit, listing.OF_ONE) | {"modelId": repo.name}
    if request.flag("blobs"):
        said["siblings"] = listing.siblings_with_blobs(commit)
    return json_answer(said)


def entries(commit: Commit, paths: Sequence[str], expand: bool) -> list[listing.Json]:
    found = [listing.entry_of(commit, path, expand=expand) for path in paths]
    return [one for one in found if one]


def paths_info(request: Request, commit: Commit) -> Answer:
    """What a form asks for; paths that do not exist are passed over."""
    form = parse_qs(request.body.decode("utf-8", "replace"))
    return json_answer(entries(commit, form.get("paths", []), form.get("expand", [""])[0].lower() == "true"))


def _refs(repo: Repo) -> listing.Json:
    main = {"name": MAIN, "ref": f"refs/heads/{MAIN}", "targetCommit": repo.head.id}
    return {"branches": [main], "tags": [], "converts": []}
