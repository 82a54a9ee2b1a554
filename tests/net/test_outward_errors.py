from thorp.base.errors import NetworkError
from thorp.net.outward_errors import EgressRefusedError, OutwardStoppedError, OutwardUnreachableError, Reason


def test_who_stops_or_refuses_is_no_network_to_be_tried_again():
    assert not issubclass(EgressRefusedError, NetworkError)
    assert not issubclass(OutwardStoppedError, NetworkError)


def test_the_reason_reads_as_a_word():
    assert OutwardUnreachableError("x", reason=Reason.NO_NETWORK).details == {"reason": "no_network"}
