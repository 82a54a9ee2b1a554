"""What a part calls for others, while nobody has hung anything there yet."""


def nothing() -> None:
    """Nobody wants to hear of it."""
