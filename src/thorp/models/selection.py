"""What of a repository can be pulled, and which of it is meant. Pure: it judges a listing and asks nobody.

A listing comes from outside: it is bounded first, names that a file system could mix up are refused, shards count only
as a whole set, and pickles are never offered.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from thorp.base.errors import IntegrityError, NotFoundError
from thorp.base.nearest import did_you_mean
from thorp.base.printable import printable
from thorp.models.ids import FOLDER, Shard, artifact_name, derive_model_id, is_projector, quant_of, shard_of
from thorp.models.refs import LONGEST_PATH, LONGEST_SHOWN, BadRefError, check_path
from thorp.models.types import Candidate, Format, RemoteFile, RemoteRepo

MOST_FILES: Final = 20_000
MOST_SHARDS: Final = 1000
MOST_SHOWN: Final = 40
USUAL_QUANT: Final = "q4_k_m"
UNSAFE: Final = "its name could not be kept on every system"

_IMATRIX = re.compile(r"(?<![a-z0-9])imatrix(?![a-z0-9])")
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".msgpack", ".h5")
_CONFIGURATION = re.compile(
    r".+\.json|.+\.jinja|tokenizer\.model(?:\.v[0-9]+)?|spiece\.model|sentencepiece\.bpe\.model|.+\.tiktoken"
    r"|(?:.*[-_.])?(?:vocab|merges)(?:[-_.].*)?\.txt",
    re.IGNORECASE,
)
_KNOWN = re.compile(  # of the JSON files: what libraries write beside weights, and nobody keeps anything else under
    r"(?:config|configuration|generation_config|tokenizer[a-z0-9._-]*|tekken|special_tokens_map|added_tokens|params"
    r"|(?:[a-z]+_)?(?:pre)?processor_config|chat_template|vocab|merges|.+\.safetensors\.index|model_index|modules"
    r"|adapter_config|scheduler_config|quantize_config|quant_config|quantization_config|hf_quant_config|normalizer"
    r"|sentence_[a-z]+_config|config_sentence_transformers)\.json",
    re.IGNORECASE,
)
_OF_PICKLES = re.compile(r".+\.(?:bin|msgpack|h5)\.index\.json", re.IGNORECASE)
_MODULE = re.compile(r"[0-9]{1,3}_[A-Za-z]{1,40}|additional_chat_templates")  # folders that belong to a model
_EMBEDDING_TAGS = frozenset(("sentence-transformers", "sentence-similarity", "feature-extraction"))
_EMBEDDING_NAME = re.compile(r"(?<![a-z0-9])(?:embed|embedding|embeddings|rerank|reranker)(?![a-z0-9])")
_PROJECTOR_RANKS = {"f16": 0, "fp16": 0, "bf16": 1, "f32": 2, "fp32": 2}
_HOW_MADE = re.compile(r"^(?:ud|i1)-|-(?:imx|imat|imatrix)$")


class PickleOnlyError(IntegrityError):
    """A repository has its weights only in formats that run code when they are read."""

    code = "models.pickle_only"


class NothingToPullError(NotFoundError):
    """A repository has no model that could be pulled."""

    code = "models.nothing_to_pull"


class NoSuchQuantError(NotFoundError):
    """A repository does not offer this quantisation."""

    code = "models.no_such_quant"


class NoSuchFileError(NotFoundError):
    """A repository has no such model file."""

    code = "models.no_such_file"


class TooManyFilesError(IntegrityError):
    """A repository lists more files than any model has."""

    code = "models.too_many_files"


class CollidingNamesError(IntegrityError):
    """A repository has two names that some file systems cannot tell apart."""

    code = "models.colliding_names"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that looks like a model and is not offered."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a repository offers, smallest first, and what it only seems to."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Several:
    """More than one is meant; somebody has to choose."""

    candidates: tuple[Candidate, ...]


def candidates(repo: RemoteRepo, *, file_type: str | None = None) -> tuple[Candidate, ...]:
    """What can be pulled, smallest first; fails when there is nothing. `file_type` is the dtype of safetensors."""
    found = survey(repo, file_type=file_type)
    if found.candidates:
        return found.candidates
    if not found.left_out and any(file.path.lower().endswith(_PICKLES) for file in repo.files):
        raise PickleOnlyError(
            f"{repo.repo} has its weights only as pickles, which run code when they are read. Look for a repository "
            "with GGUF or safetensors files of the same model."
        )
    why = "; ".join(f"{printable(one.name[:LONGEST_SHOWN])}: {one.reason}" for one in found.left_out[:MOST_SHOWN])
    raise NothingToPullError(
        f"{repo.repo} has no model to pull" + (f" ({why})." if why else ": no GGUF and no safetensors files.")
    )


def survey(repo: RemoteRepo, *, file_type: str | None = None) -> Survey:
    """The same with what is left out and why; nothing to offer is no failure here."""
    if len(repo.files) > MOST_FILES:
        raise TooManyFilesError(f"{repo.repo} lists {len(repo.files)} files; no model has more than {MOST_FILES}.")
    weights = [file for file in repo.files if _ends(file, ".gguf") and not _is_imatrix(file.path)]
    if any(not is_projector(file.path) for file in weights):
        return _survey_of_files(repo, weights)
    return _survey_of_folder(repo, file_type)


def choose(offered: Sequence[Candidate], *, quant: str | None = None, path: str | None = None) -> Candidate | Several:
    """The one that is meant, or those it could be. `path` is any file of it, or the folder it lies in."""
    if not offered:
        raise NothingToPullError("There is no model to choose from.")
    left = tuple(_with_path(offered, path)) if path else tuple(offered)
    if not left:
        known = _instead(one.files[0].path for one in offered)
        raise NoSuchFileError(f"There is no model file `{printable(path or '')}`.{known}")
    if quant:
        left = _with_quant(left, quant)
    return left[0] if len(left) == 1 else Several(left)


def recommended(offered: Sequence[Candidate], fits: Callable[[Candidate], bool | None]) -> Candidate:
    """What to take when nobody can be asked: q4_k_m, unless it is known not to fit.

    Then the largest that is known to fit, and the smallest when none is.
    """
    by_size = sorted(offered, key=_order)
    if not by_size:
        raise NothingToPullError("There is no model to choose from.")
    usual = [one for one in by_size if _bare(one.quant) == USUAL_QUANT]
    for one in sorted(usual, key=lambda one: one.quant != USUAL_QUANT):
        if fits(one) is not False:
            return one
    fitting = [one for one in by_size if fits(one)]
    return fitting[-1] if fitting else by_size[0]


def wanted_candidate(repo: RemoteRepo, model_id: str, *, file_type: str | None = None) -> Candidate | None:
    """What of a repository has this id. A repository that cannot be trusted has nothing, so that the next is asked."""
    try:
        found = survey(repo, file_type=file_type)
    except IntegrityError:
        return None
    return next((one for one in found.candidates if one.model_id == model_id), None)


def takes(format_: Format, path: str) -> bool:
    """Whether a file of this name may belong to a model of this format: weights and their settings, never code."""
    if format_ is Format.GGUF:
        return path.lower().endswith(".gguf")
    return path.lower().endswith(".safetensors") or _configures(path)


def is_plainly_of_a_model(path: str) -> bool:
    """Whether a file that lies beside weights is what it seems: other settings may hold anything, secrets included."""
    *_, name = parts = path.split("/")
    if any(part.startswith(".") for part in parts):
        return False
    return not name.lower().endswith(".json") or _KNOWN.fullmatch(name) is not None


def _survey_of_files(repo: RemoteRepo, weights: list[RemoteFile]) -> Survey:
    _refuse_collisions(repo.repo, weights)
    unsafe = {file.path for file in weights if not _is_safe(file.path)}
    left_out = [LeftOut(path, UNSAFE) for path in sorted(unsafe)]
    safe = [file for file in weights if file.path not in unsafe]
    projectors = [] if _embeds(repo) else [file for file in safe if is_projector(file.path)]
    made: list[Candidate] = []
    for stem, sets in _grouped(file for file in safe if not is_projector(file.path)).items():
        reasons = {count: _incomplete(count, shards) for count, shards in sorted(sets.items())}
        left_out += [LeftOut(stem, why) for why in reasons.values() if why]
        whole, *others = [count for count, why in reasons.items() if not why] or [None]
        left_out += [LeftOut(stem, f"the same in {count} files; fewer are taken") for count in others]
        if whole is not None:
            made.append(_of_files(repo, tuple(sets[whole][number] for number in sorted(sets[whole])), projectors))
    return Survey(tuple(sorted(_distinct(repo.repo, made), key=_order)), tuple(left_out))


def _grouped(files: Iterable[RemoteFile]) -> dict[str, dict[int, dict[int, RemoteFile]]]:
    """Files by stem, then by how many shards each says there are, then by its number. Alone: number 0 of 0."""
    groups: dict[str, dict[int, dict[int, RemoteFile]]] = defaultdict(lambda: defaultdict(dict))
    for file in files:
        shard = shard_of(file.path) or Shard(0, 0, str(PurePosixPath(file.path).with_suffix("")))
        groups[shard.stem][shard.count][shard.number] = file
    return groups


def _incomplete(count: int, shards: dict[int, RemoteFile]) -> str | None:
    """Why these shards are no whole set."""
    if count > MOST_SHARDS:
        return f"says that it has {count} shards; at most {MOST_SHARDS} are taken"
    if any(not (1 <= number <= count or number == count == 0) for number in shards):
        return f"has a shard with a number that {count} shards do not have"
    if len(shards) < count:
        first = next(number for number in range(1, count + 1) if number not in shards)
        return f"only {len(shards)} of {count} shards are there; number {first} is missing"
    return None


def _of_files(repo: RemoteRepo, files: tuple[RemoteFile, ...], projectors: list[RemoteFile]) -> Candidate:
    first = files[0].path
    model_id = derive_model_id(repo.repo, first, parameters=repo.parameters)
    near = min(projectors, key=lambda one: _rank(one.path, first), default=None)
    return Candidate(model_id, model_id.quant, artifact_name(first), Format.GGUF, files, near)


def _rank(projector: str, of: str) -> tuple[bool, int, str]:
    """How little a projector suits a model: those beside it first, then by precision."""
    apart = PurePosixPath(projector).parent != PurePosixPath(of).parent
    return apart, _PROJECTOR_RANKS.get(quant_of(projector) or "", len(_PROJECTOR_RANKS)), projector


def _distinct(repo: str, made: list[Candidate]) -> list[Candidate]:
    """Every name once: files of one name in several folders are told apart by their folder."""
    often = Counter(one.name.casefold() for one in made)
    named = [one if often[one.name.casefold()] == 1 else replace(one, name=_long_name(one)) for one in made]
    twice = [name for name, times in Counter(one.name.casefold() for one in named).items() if times > 1]
    if twice:
        raise CollidingNamesError(f"{repo} has several models that would both be kept as `{printable(twice[0])}`.")
    return named


def _long_name(one: Candidate) -> str:
    folders = PurePosixPath(one.files[0].path).parent.parts
    return "--".join((*folders, one.name))


def _survey_of_folder(repo: RemoteRepo, file_type: str | None) -> Survey:
    weights = _weights_of_folder(repo.files)
    if not weights:
        return Survey(())
    everywhere = all("/" in file.path for file in weights)
    settings = [file for file in repo.files if _configures(file.path) and (everywhere or _belongs(file.path))]
    files = tuple(sorted((*weights, *settings), key=lambda file: file.path))
    _refuse_collisions(repo.repo, files)
    if unsafe := [LeftOut(file.path, UNSAFE) for file in files if not _is_safe(file.path)]:
        return Survey((), tuple(unsafe))
    groups = _grouped(weights)
    reasons = [(stem, _incomplete(*one)) for stem, sets in groups.items() for one in sets.items()]
    if broken := [LeftOut(stem, why) for stem, why in reasons if why]:
        return Survey((), tuple(broken))
    model_id = derive_model_id(repo.repo, FOLDER, parameters=repo.parameters, file_type=file_type)
    return Survey((Candidate(model_id, model_id.quant, FOLDER, Format.SAFETENSORS, files),))


def _weights_of_folder(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    """The safetensors of a model. Where some lie on top, those in folders are the same again in another make."""
    every = [file for file in files if _ends(file, ".safetensors")]
    top = [file for file in every if "/" not in file.path]
    if not top:
        return every
    usual = [file for file in top if file.path.lower().startswith("model")]
    once = [file for file in top if not (usual and file.path.lower().startswith("consolidated"))]
    return once + [file for file in every if "/" in file.path and _belongs(file.path)]


def _belongs(path: str) -> bool:
    folder, slash, _ = path.rpartition("/")
    return not slash or _MODULE.fullmatch(folder) is not None


def _configures(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return _CONFIGURATION.fullmatch(name) is not None and not _OF_PICKLES.fullmatch(name)


def _refuse_collisions(repo: str, files: Iterable[RemoteFile]) -> None:
    """Fails when a file system that ignores case or Unicode form would take two of these for one."""
    seen: dict[str, str] = {}
    for file in (one for one in files if len(one.path) <= LONGEST_PATH):  # longer ones are left out anyhow
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFD", file.path).casefold())
        if key in seen:
            raise CollidingNamesError(_colliding(repo, seen[key], file.path))
        seen[key] = file.path
    keys = sorted(seen)
    for key in keys:  # a file is no folder of others
        inside = next(iter(keys[(at := bisect_left(keys, f"{key}/")) : at + 1]), "")
        if inside.startswith(f"{key}/"):
            raise CollidingNamesError(_colliding(repo, seen[key], seen[inside]))


def _colliding(repo: str, one: str, other: str) -> str:
    return (
        f"{repo} has `{printable(one)}` and `{printable(other)}`, which some file systems take for one. "
        "Nothing of it is pulled."
    )


def _with_path(offered: Iterable[Candidate], path: str) -> Iterator[Candidate]:
    for one in offered:
        if any(file.path == path or file.path.startswith(f"{path}/") for file in one.files):
            yield one


def _with_quant(offered: tuple[Candidate, ...], quant: str) -> tuple[Candidate, ...]:
    """Those of a quantisation as written; else those that are it under how they were made (`UD-`, `i1-`)."""
    found = tuple(one for one in offered if _spelled(one.quant) == _spelled(quant))
    found = found or tuple(one for one in offered if _spelled(_bare(one.quant)) == _spelled(quant))
    if not found:
        known = {one.quant: None for one in offered}
        near = did_you_mean(quant.lower().replace("-", "_"), known)
        raise NoSuchQuantError(f"There is no quantisation `{printable(quant)}` of it.{near}{_instead(known)}")
    return found


def _instead(known: Iterable[str]) -> str:
    every = [printable(one) for one in known]
    more = f" and {len(every) - MOST_SHOWN} more" if len(every) > MOST_SHOWN else ""
    return f" There is {', '.join(every[:MOST_SHOWN])}{more}."


def _spelled(quant: str) -> str:
    plain = re.sub(r"[-_.]", "", quant.lower())
    return {"fp16": "f16", "fp32": "f32"}.get(plain, plain)


def _bare(quant: str) -> str:
    return _HOW_MADE.sub("", quant)


def _order(one: Candidate) -> tuple[int, str]:
    return one.size, one.name


def _ends(file: RemoteFile, extension: str) -> bool:
    return file.path.lower().endswith(extension)


def _is_safe(path: str) -> bool:
    try:
        check_path(path)
    except BadRefError:
        return False
    return True


def _is_imatrix(path: str) -> bool:
    """Whether it is an importance matrix, not a model that was weighed by one (`…-Q4_K_M-imatrix.gguf`)."""
    name = path.rsplit("/", 1)[-1].lower()
    return name.startswith("imatrix") or (_IMATRIX.search(name) is not None and quant_of(name) is None)


def _embeds(repo: RemoteRepo) -> bool:
    """Whether a repository is for embeddings, which need no eyes."""
    tags = {tag.lower() for tag in repo.tags}
    return not tags.isdisjoint(_EMBEDDING_TAGS) or _EMBEDDING_NAME.search(repo.repo.lower()) is not None
