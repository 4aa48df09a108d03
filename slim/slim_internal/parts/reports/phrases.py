"""Numbers with their nouns, for pages and terminals."""


def count(number: int, one: str, many: str = "") -> str:
    """Returns a number with its noun: "1 image", "1,797 images"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
