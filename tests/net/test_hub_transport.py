import threading

import huggingface_hub
import pytest

from thorp.net.hub_transport import Reply, install, lending, make_client
from thorp.net.outward_errors import EgressRefusedError

URL = "https://hub.example/api/models?x=1"


def test_a_request_goes_through_the_exchange_that_was_lent():
    asked = []

    def exchange(method, url):
        asked.append((method, url))
        return Reply(200, {"content-type": "application/json", "x-a": "b", "transfer-encoding": "chunked"}, b"[1]")

    with lending(exchange):
        answer = huggingface_hub.get_session().get(URL)
    assert asked == [("GET", URL)]
    assert (answer.status_code, answer.json(), answer.headers["x-a"]) == (200, [1], "b")
    assert "transfer-encoding" not in answer.headers


def test_whatever_the_library_asks_for_by_itself_is_refused():
    install()
    with pytest.raises(EgressRefusedError, match=r"hub\.example"):
        huggingface_hub.get_session().get(URL)
    told = []

    def aside():
        with pytest.raises(EgressRefusedError) as caught:
            huggingface_hub.get_session().get(URL)
        told.append(caught.value)

    with lending(lambda method, url: Reply(200, {}, b"")):
        thread = threading.Thread(target=aside)
        thread.start()
        thread.join()
    assert len(told) == 1


def test_two_threads_have_their_own_exchanges():
    found = {}

    def ask(name):
        with lending(lambda method, url: Reply(200, {}, name.encode())):
            found[name] = huggingface_hub.get_session().get(URL).text

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abc"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {"a": "a", "b": "b", "c": "c"}


def test_an_error_of_ours_passes_the_library_untouched():
    def refuse(method, url):
        raise EgressRefusedError("no")

    with lending(refuse), pytest.raises(EgressRefusedError, match="no"):
        list(huggingface_hub.HfApi(endpoint="https://hub.example", token=False).list_models(limit=1))


def test_redirects_are_not_followed_behind_our_back():
    with lending(lambda method, url: Reply(302, {"location": "http://10.0.0.1/"}, b"")), make_client() as client:
        assert client.get(URL).status_code == 302
