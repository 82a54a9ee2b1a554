"""The id of the request being answered, for whatever writes a log line on its behalf. It decides nothing."""

from contextvars import ContextVar
from typing import Final

current_request: Final[ContextVar[str]] = ContextVar("current_request", default="")
