"""What one pull is going to bring: decided before the first byte, and the same after a restart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from thorp.models.layout import digest_of
from thorp.models.refs import check_path, check_repo
from thorp.models.types import Candidate, Format, RemoteFile, RemoteRepo

BRANCH = "main"


@dataclass(frozen=True, slots=True)
class PullPlan:
    """One artifact of one revision."""

    ref: str  # as the person wrote it
    repo: str
    revision: str
    version: str  # the branch or tag that was asked for
    model_id: str
    quant: str
    artifact: str
    format: Format
    files: tuple[RemoteFile, ...]  # the projector is the last one, where there is one
    projector: str | None = None
    license: str | None = None
    gated: bool = False
    parameters: int | None = None
    claimed_by: str | None = None  # the neighbour whose word its hashes are; None: the hub's
    rides: bool = True  # whether it may ride a household torrent
    only: str | None = None  # the one kind of source that was asked for

    @property
    def key(self) -> str:
        """What tells this artifact from every other one; a receipt of it has the same."""
        return f"{self.repo}@{self.revision}/{self.artifact}"

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files)


def plan_of(ref: str, repo: RemoteRepo, chosen: Candidate, version: str, only: str | None = None) -> PullPlan:
    return PullPlan(
        ref=ref,
        repo=repo.repo,
        revision=repo.revision,
        version=version,
        model_id=chosen.model_id,
        quant=chosen.quant,
        artifact=chosen.name,
        format=chosen.format,
        files=chosen.every_file,
        projector=chosen.projector.path if chosen.projector else None,
        license=repo.license,
        gated=repo.gated,
        parameters=repo.parameters,
        claimed_by=chosen.claimed_by,
        rides=chosen.rides,
        only=only,
    )


def plan_data(plan: PullPlan) -> dict[str, Any]:
    """A plan as it is kept."""
    return asdict(plan)


def parse_plan(given: Mapping[str, Any]) -> PullPlan:
    """A plan as it was kept. Fails with KeyError, TypeError or ValueError, or as names and digests do."""
    files = tuple(RemoteFile(**cast("dict[str, Any]", one)) for one in given["files"])
    for file in files:
        check_path(file.path)
        digest_of(file.blob)
    read: dict[str, Any] = {**given, "files": files, "format": Format(given["format"])}
    plan = PullPlan(**read)
    check_repo(plan.repo)
    digest_of(plan.revision)
    return plan
