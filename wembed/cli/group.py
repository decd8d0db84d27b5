"""LazyGroup: a group of commands that loads a command when it is called, and ends every error in one line.

What leaves: an exit code, and on stderr `error: ...` with `hint: ...`, or one JSON object where JSON is asked for.
"""

import importlib
import io
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, TextIO

import typer
import typer.core
import typer.main

from wembed.cli.message import print_error, print_interrupted
from wembed.cli.spelling import spelt_as_ours
from wembed.errors import UsageError, WembedError

INTERRUPTED = 130

_THEIR_WORDS = "Value error, "  # of the library that reads values, in front of what is wrong


class LazyGroup(typer.core.TyperGroup):
    """A group whose commands are named by module and function; see `lazy`."""

    lazy: ClassVar[Mapping[str, str]] = {}  # command -> "module:function", or "module:typer_app"

    # Any: typer.Context is public, but the class that typer's own methods are annotated with is not.
    def list_commands(self, ctx: Any) -> list[str]:
        """Gives the names in the order in which the help shows them."""
        return list(self.lazy)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Gives a command, loading its module; None if there is none."""
        if cmd_name not in self.lazy:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name, self.lazy[cmd_name])
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Gives the command that is meant; an unknown one is our error, with the closest ones."""
        if args[0] not in self.lazy and not args[0].startswith("-"):
            close = get_close_matches(args[0], self.lazy, n=1)
            hint = f"did you mean `{ctx.command_path} {close[0]}`?" if close else f"known are {', '.join(self.lazy)}"
            raise UsageError(f"no such command {args[0]!r}", hint)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the options before the command; with nothing at all, the help is what is wanted."""
        return super().parse_args(ctx, args or ["--help"])

    def invoke(self, ctx: Any) -> Any:
        """Runs a command, and writes out all that it has said."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError as error:
            _silence_stdout()
            raise typer.Exit(0) from error

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Runs the command line and exits with the code that the contract gives."""
        given = spelt_as_ours(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # closed as by `>&-`
        _never_fail_to_encode(sys.stdout, sys.stderr)
        sys.exit(_exit_code(lambda: super(LazyGroup, self).main(given, *rest, **extra), _wants_json(given)))


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")


def _load(name: str, target: str) -> Any:  # a click command, whose class typer keeps private
    module, attribute = target.split(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command = typer.main.get_command(found)
    else:
        single = typer.Typer(add_completion=False)
        single.command()(found)
        command = typer.main.get_command(single)
    command.name = name
    return command


def _exit_code(run: Callable[[], Any], as_json: bool) -> int:
    try:
        code = run()
    except Exception as error:
        code = INTERRUPTED if _is_interrupt(error) else _told(error, as_json)
    if code == INTERRUPTED:
        print_interrupted(as_json)
    return code if isinstance(code, int) else 0


def _is_interrupt(error: BaseException) -> bool:
    """Whether a person ended it: libraries raise errors of their own where that happens while they are imported."""
    seen: list[BaseException] = []
    reason: BaseException | None = error
    while reason is not None and reason not in seen:
        if isinstance(reason, KeyboardInterrupt | typer.Abort):
            return True
        seen.append(reason)
        reason = reason.__cause__ or reason.__context__
    return False


def _told(error: Exception, as_json: bool) -> int:
    """Says what failed; what we did not expect stays a traceback."""
    if isinstance(error, WembedError):
        told = error
    elif isinstance(error, typer.TyperException):
        print_error(_as_usage_error(error), as_json)
        return error.exit_code
    elif isinstance(error, OSError):  # disk full, permission
        where = f"{error.filename}: " if error.filename else ""
        told = WembedError(f"{where}{(error.strerror or str(error)).lower()}")
    else:
        raise error
    print_error(told, as_json)
    return told.exit_code


def _as_usage_error(error: typer.TyperException) -> UsageError:
    text = " ".join(error.format_message().split()).rstrip(".").replace(_THEIR_WORDS, "")
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path} --help`" if context else ""
    return UsageError(text[:1].lower() + text[1:], hint)


def _wants_json(args: Sequence[str]) -> bool:
    formats = [after for word, after in itertools.pairwise(args) if word == "--format"]
    formats += [word.removeprefix("--format=") for word in args if word.startswith("--format=")]
    return "--json" in args or any(name in ("json", "jsonl") for name in formats)


def _never_fail_to_encode(*streams: TextIO) -> None:
    """What a stream's encoding doesn't have is escaped."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """What is still buffered goes nowhere, so that Python doesn't complain about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
