"""Recognises the models of an Ollama store: manifests that name blobs by their hash. Reads manifests and licences."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from thorp.base.errors import IntegrityError, ThorpError, UsageError
from thorp.base.files import DISK, read_bounded
from thorp.models.adopt_sources import TooMuchToLookAtError, local_repo, together, walk
from thorp.models.adopt_types import Artifact, Found, Lying, Skipped
from thorp.models.layout import digest_of
from thorp.models.receipts import SHA256, Origin
from thorp.models.refs import BadRefError, check_path, check_repo
from thorp.models.types import Format, SourceKind

LARGEST_MANIFEST: Final = 4 * 1024 * 1024
LARGEST_LICENSE: Final = 64 * 1024
MOST_LAYERS: Final = 1000
MODEL: Final = "application/vnd.ollama.image.model"
PROJECTOR: Final = "application/vnd.ollama.image.projector"
LICENSE: Final = "application/vnd.ollama.image.license"
HUBS: Final = frozenset({"hf.co", "huggingface.co"})
LATEST: Final = "latest"
FOUND: Final = Origin(SourceKind.IMPORT, "found in an Ollama store")
NAMING: Final = 4  # host, namespace, name, tag

_KNOWN_LICENSES = (
    (re.compile(r"apache license", re.IGNORECASE), "apache-2.0"),
    (re.compile(r"mit license", re.IGNORECASE), "mit"),
    (re.compile(r"gemma terms of use", re.IGNORECASE), "gemma"),
    (re.compile(r"llama 3\.3 community", re.IGNORECASE), "llama3.3"),
    (re.compile(r"llama 3\.2 community", re.IGNORECASE), "llama3.2"),
    (re.compile(r"llama 3\.1 community", re.IGNORECASE), "llama3.1"),
    (re.compile(r"llama 3 community", re.IGNORECASE), "llama3"),
    (re.compile(r"llama 2 community", re.IGNORECASE), "llama2"),
)
_ID = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")


class BadManifestError(IntegrityError):
    """A manifest of an Ollama store that cannot be read as one."""

    code = "models.bad_ollama_manifest"


@dataclass(frozen=True, slots=True)
class _Layer:
    kind: str
    digest: str  # 64 hex
    size: int


def is_ollama(source: Path) -> bool:
    return (source / "manifests").is_dir() and (source / "blobs").is_dir()


def of_ollama(store: Path) -> Found:
    """Every model of a store."""
    skipped: list[Skipped] = []
    found: list[Found] = []
    for path, file in walk(store / "manifests", skipped):
        parts = path.split("/")
        if len(parts) != NAMING:
            continue
        try:
            found.append(Found((_artifact(store, file.at, parts),)))
        except TooMuchToLookAtError:
            raise
        except (IntegrityError, UsageError) as error:
            skipped.append(Skipped(path, error.message))
    return together((*found, Found((), tuple(skipped))))


def _artifact(store: Path, manifest: Path, parts: list[str]) -> Artifact:
    host, owner, name, tag = parts
    layers = tuple(_layers(manifest))
    models = [one for one in layers if one.kind == MODEL]
    if len(models) != 1:
        raise BadManifestError(f"It has {len(models)} files of weights; Thorp takes a model in one file.")
    stem = f"{name}-{tag}"
    files = [_lying(store, models[0], check_path(f"{stem}.gguf"))]
    eyes = [one for one in layers if one.kind == PROJECTOR][:1]
    files += [_lying(store, one, check_path(f"mmproj-{stem}.gguf")) for one in eyes]
    return Artifact(
        repo=_repo(host, owner, name),
        revision=None,
        version="local",
        name=stem,
        format=Format.GGUF,
        files=tuple(files),
        projector=files[1].path if eyes else None,
        origin=FOUND,
        license=_license(store, layers),
        named=f"{name}.gguf" if tag == LATEST else "",
    )


def _repo(host: str, owner: str, name: str) -> str:
    if owner == "library" and host not in HUBS:
        owner = "ollama"
    try:
        return check_repo(f"{owner}/{name}")
    except BadRefError:
        return local_repo(f"{owner}-{name}")


def _lying(store: Path, layer: _Layer, path: str) -> Lying:
    at = store / "blobs" / f"sha256-{layer.digest}"
    try:
        size = at.lstat().st_size
    except OSError:
        raise BadManifestError("Its weights are not there; Ollama may not have fetched all of it.") from None
    if size != layer.size:
        raise BadManifestError(f"Its weights are {size} bytes long and not {layer.size}, as its manifest says.")
    return Lying(path, at, at, size, layer.digest)


def _layers(manifest: Path) -> Iterator[_Layer]:
    try:
        data: object = json.loads(read_bounded(DISK, manifest, LARGEST_MANIFEST))
    except (ValueError, RecursionError):
        raise BadManifestError("Its manifest is no JSON.") from None
    layers: object = cast("Mapping[str, Any]", data).get("layers") if isinstance(data, dict) else None
    if not isinstance(layers, list) or len(cast("list[Any]", layers)) > MOST_LAYERS:
        raise BadManifestError("Its manifest has no layers.")
    for one in cast("list[Any]", layers):
        match one:
            case {"mediaType": str() as kind, "digest": str() as digest, "size": int() as size}:
                yield _Layer(kind, _sha256(digest), size)
            case _:
                raise BadManifestError("Its manifest has a layer without type, digest and size.")


def _sha256(digest: str) -> str:
    """What `sha256:<hex>` names; it becomes part of a path, so nothing else will do."""
    kind, _, text = digest.partition(":")
    if kind != "sha256" or len(text) != SHA256:
        raise BadManifestError("Its manifest names a layer by something that is no SHA-256.")
    return digest_of(text).hex()


def _license(store: Path, layers: tuple[_Layer, ...]) -> str | None:
    for one in layers:
        if one.kind != LICENSE or one.size > LARGEST_LICENSE:
            continue
        with suppress(ThorpError, ValueError):
            text = read_bounded(DISK, store / "blobs" / f"sha256-{one.digest}", LARGEST_LICENSE).decode()
            return license_id(text)
    return None


def license_id(text: str) -> str | None:
    """The id of a licence by how its text begins; None for a text that is not known."""
    head = "\n".join(text.strip().splitlines()[:3])
    if known := next((name for pattern, name in _KNOWN_LICENSES if pattern.search(head)), None):
        return known
    return head.lower() if _ID.fullmatch(head.lower()) else None
