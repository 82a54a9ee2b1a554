"""The head of a README says under which licence a repository is, and whether it is gated."""

from thorp.models.model_card import Card, read_card


def test_a_card_says_licence_and_gate() -> None:
    assert read_card("---\r\nlicense: MIT\r\nextra_gated_prompt: x\r\n---\r\n") == Card("mit", gated=True)
    assert read_card("---\ntags: []\n---\nlicense: mit\n") == Card()
    assert read_card("# m\nlicense: mit") == Card()
