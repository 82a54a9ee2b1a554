"""A Hugging Face hub on loopback, with a CDN beside it, a log of what it was asked, and faults on demand."""

from thorp.testing.hub.content import Content, content_of
from thorp.testing.hub.fake import FakeHub
from thorp.testing.hub.faults import Fault, FaultKind, On
from thorp.testing.hub.log import Asked
from thorp.testing.hub.request import Host

__all__ = ["Asked", "Content", "FakeHub", "Fault", "FaultKind", "Host", "On", "content_of"]
