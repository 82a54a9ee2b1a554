"""Names in the order of their making: 26 characters, a moment in front and chance behind."""

from typing import Final

from thorp.base.clock import Clock, Randomness

LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 26
CHANCE_BYTES: Final = 10
MOMENT_BITS: Final = 48


def new_ulid(clock: Clock, randomness: Randomness) -> str:
    moment = int(clock.wall() * 1000) & ((1 << MOMENT_BITS) - 1)
    number = moment << (8 * CHANCE_BYTES) | int.from_bytes(randomness.bytes(CHANCE_BYTES))
    return "".join(LETTERS[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def is_ulid(text: str) -> bool:
    return len(text) == LENGTH and all(letter in LETTERS for letter in text) and text[0] <= "7"
