"""A title or a name in; the same, short enough for where it stands, out."""

from textwrap import wrap

NO_BREAK = "\N{NO-BREAK SPACE}"
_MOST_LINES = 3
_LONGEST = 26  # characters of a name


def in_one_line(text: str) -> str:
    """A text without line ends and other signs that a terminal obeys."""
    return "".join(sign if sign.isprintable() or sign == NO_BREAK else " " for sign in text)


def drawable(text: str) -> str:
    """A text without what no font has a sign for."""
    return "".join(sign if sign.isprintable() or sign == NO_BREAK else "\N{REPLACEMENT CHARACTER}" for sign in text)


def folded(text: str, width: int) -> str:
    """A title in lines of at most `width` characters, so many as fit above a panel; what is more, is cut."""
    lines = wrap(drawable(text), width)
    return "\n".join([*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1]}…"] if len(lines) > _MOST_LINES else lines)


def short(name: str, most: int = _LONGEST) -> str:
    """A name of so many characters that it fits beside a panel: of a long one its beginning and its end."""
    name = drawable(name)
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"
