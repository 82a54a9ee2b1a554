"""A way into the dashboard for who already holds the node."""

from pydantic import Field

from thorp.wire.capability import Capability
from thorp.wire.model import Message


class CodeEntry(Message):
    code: str = Field(description="The one-time code, as `thorp up` or `thorp open` shows it.")


class LoginCodeAsk(Message):
    anywhere: bool = Field(
        default=False,
        description="Also from other computers, by other users of this machine and behind a proxy. Without it the code "
        "counts only for the user who runs the node, on this machine.",
    )


class LoginCodeAnswer(Message):
    code: str
    url: str = Field(description="Opens the dashboard signed in; the code is in the fragment.")
    expires: str = Field(description="RFC 3339, UTC.")


LOGIN_CODE = Capability(
    name="login.code",
    version="1.0",
    summary="Makes a one-time code that signs one browser in; before the node is claimed, the claim code.",
    request=LoginCodeAsk,
    answer=LoginCodeAnswer,
)
