"""Where the files of a model lie: the Hugging Face cache layout, and Thorp's own places beside it. Only names, no disk.

Digests are read into bytes and paths are built from bytes, here and nowhere else.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from thorp.base.errors import IntegrityError

DIGEST: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")
OWN: Final = ".thorp"
MARKER: Final = ".locks/.thorp-store"  # where huggingface_hub does not look for repositories
RECEIPT: Final = "metadata.json"
DAMAGED: Final = "damaged"  # beside a receipt: somebody looked, and its files are not what it says
UNSHARED: Final = "unshared"  # beside a receipt: its owner keeps it from the household
PUBLICATION: Final = "publication.json"  # beside a receipt: what its owner says about it, signed


class BadDigestError(IntegrityError):
    """What should name bytes by their hash is no hash."""

    code = "models.bad_digest"


def digest_of(text: str) -> bytes:
    """The bytes of a SHA-256, or of the SHA-1 that git gives a small file."""
    if not DIGEST.fullmatch(text):
        raise BadDigestError(f"`{text[:80]}` is no SHA-256 and no git hash, so nothing is kept under that name.")
    return bytes.fromhex(text)


@dataclass(frozen=True, slots=True)
class Layout:
    """All places that models have."""

    hub: Path  # the models folder: a Hugging Face cache
    receipts: Path
    torrents: Path
    transfers: Path
    stores: Path  # which models folders this home has used, so that an unmounted one is not taken for an empty one

    def repo(self, repo: str) -> Path:
        return self.hub / repo_folder(repo)

    def blobs(self, repo: str) -> Path:
        return self.repo(repo) / "blobs"

    def blob(self, repo: str, digest: bytes) -> Path:
        return self.blobs(repo) / digest.hex()

    def snapshot(self, repo: str, revision: str) -> Path:
        return self.repo(repo) / "snapshots" / digest_of(revision).hex()

    def file(self, repo: str, revision: str, path: str) -> Path:
        """Where programs look for a file of a repository. `path` was checked by `refs.check_path`."""
        return self.snapshot(repo, revision).joinpath(*path.split("/"))

    def ref(self, repo: str, branch: str) -> Path:
        return self.repo(repo).joinpath("refs", *branch.split("/"))

    def partial(self, repo: str, digest: bytes) -> Path:
        return self.repo(repo) / OWN / "partial" / digest.hex()

    def quarantine(self, repo: str, digest: bytes) -> Path:
        return self.repo(repo) / OWN / "quarantine" / digest.hex()

    def hub_lock(self, repo: str, digest: bytes) -> Path:
        """What huggingface_hub locks while it fetches the same file."""
        return self.hub / ".locks" / repo_folder(repo) / f"{digest.hex()}.lock"

    def receipt(self, repo: str, revision: str, artifact: str) -> Path:
        return self.receipts.joinpath(*repo.split("/"), digest_of(revision).hex(), artifact, RECEIPT)

    def pieces(self, receipt: Path, digest: bytes) -> Path:
        """The SHA-1 of each 16 MiB piece of a file, beside its receipt."""
        return receipt.with_name(f"{digest.hex()}.pieces")

    def torrent(self, infohash: bytes) -> Path:
        return self.torrents / f"{infohash.hex()}.torrent"


def repo_folder(repo: str) -> str:
    return "models--" + repo.replace("/", "--")


def repo_of(folder: str) -> str | None:
    """The repository that a folder of a cache belongs to; None where it is another kind of folder."""
    kind, _, rest = folder.partition("--")
    owner, between, name = rest.partition("--")
    if kind != "models" or not rest:
        return None
    return f"{owner}/{name}" if between else owner


def link_target(path: str, digest: bytes) -> str:
    """What a snapshot's link to a blob says, seen from the place of the link."""
    return "../" * (2 + path.count("/")) + f"blobs/{digest.hex()}"


LINK: Final = re.compile(rf"(?:\.\./){{2,}}blobs/(?P<digest>{DIGEST.pattern})")


def linked_digest(target: str) -> bytes | None:
    """The blob a snapshot's link names; None for a link that leads anywhere else."""
    found = LINK.fullmatch(target)
    return bytes.fromhex(found["digest"]) if found else None
