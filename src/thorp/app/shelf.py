"""The library without a node, for commands that answer at once. It loads little, and changes nothing but its index."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from thorp.app.paths import Paths
from thorp.models.cache import Cache
from thorp.models.layout import Layout
from thorp.models.library import Library
from thorp.models.refs import parse_ref
from thorp.models.rows import complete_data, library_data
from thorp.models.stores import Stores
from thorp.store.library_index import LibraryIndex

if TYPE_CHECKING:
    from thorp.app.environment import Environment, HubVariables
    from thorp.models.settings import ModelSettings

MODELS: Final = b"models"
MODELS_VARIABLE: Final = "THORP_MODELS_DIR"


def models_folder(paths: Paths, variables: "HubVariables", settings: "ModelSettings | None") -> Path:
    """Where models lie: as huggingface_hub would say, else as the settings do, else in Thorp's home."""
    if variables.cache is not None:
        return variables.cache
    if variables.home is not None:
        return variables.home / "hub"
    if settings is not None and settings.dir:
        return Path(settings.dir).expanduser().absolute()
    return paths.root / "hub"


def layout_of(paths: Paths, folder: Path) -> Layout:
    return Layout(
        hub=folder,
        receipts=paths.data / "receipts",
        torrents=paths.data / "torrents",
        transfers=paths.data / "transfers",
        stores=paths.data / "stores.json",
    )


def library_of(paths: Paths, folder: Path) -> tuple[Library, Stores]:
    layout = layout_of(paths, folder)
    stores = Stores(layout.stores)
    return Library(layout, Cache(layout), LibraryIndex(paths.library), stores), stores


def open_library(paths: Paths, environment: "Environment") -> Library:
    return library_of(paths, folder_here(paths, environment))[0]


def folder_here(paths: Paths, environment: "Environment") -> Path:
    """The models folder as the settings on disk have it; they are read only where they can decide."""
    variables = environment.hub
    if variables.cache is None and variables.home is None and _says_where(paths.config_file, environment):
        from thorp.app.config import ConfigFile, load
        from thorp.base.files import DISK

        settings = load(ConfigFile(paths.config_file, DISK), environment).settings
        return models_folder(paths, variables, settings.models)
    return models_folder(paths, variables, None)


def _says_where(file: Path, environment: "Environment") -> bool:
    """Whether the settings could say anything about models; most say nothing, and are not worth the time to read."""
    with suppress(OSError):
        return MODELS in file.read_bytes() or MODELS_VARIABLE in environment.overrides
    return MODELS_VARIABLE in environment.overrides


def library_here(paths: Paths, environment: "Environment") -> dict[str, Any]:
    """What `library.list` answers."""
    return library_data(open_library(paths, environment))


def complete_here(
    paths: Paths, environment: "Environment", ref: str, quant: str | None, revision: str | None
) -> dict[str, Any] | None:
    """What `model.pull` answers where the model is here and whole; None: it has to be looked for."""
    parsed = parse_ref(ref)
    if revision is not None:
        return None
    library = open_library(paths, environment)
    complete = [one for one in library.called(parsed, quant or None) if library.state(one).complete]
    return complete_data(ref, complete[0]) if len(complete) == 1 else None
