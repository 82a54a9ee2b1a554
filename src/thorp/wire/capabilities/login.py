"""A way into the dashboard for who already holds the node."""

from pydantic import Field

from thorp.wire.capability import Capability, Nothing
from thorp.wire.model import Message


class LoginCodeAnswer(Message):
    code: str
    url: str = Field(description="Opens the dashboard signed in; the code is in the fragment.")
    expires: str = Field(description="RFC 3339, UTC.")


LOGIN_CODE = Capability(
    name="login.code",
    version="1.0",
    summary="Makes a one-time code that signs one browser in; before the node is claimed, the claim code.",
    request=Nothing,
    answer=LoginCodeAnswer,
)
