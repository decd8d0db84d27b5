"""Text from files that are not trusted in; text that a terminal shows and doesn't obey out."""


def plain(text: str) -> str:
    """Gives text on one line, with what is not printable escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
