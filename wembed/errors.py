"""The exceptions that a user can cause, each with the exit code that the command line gives.

    WembedError                 1   could not be done
    ├── UsageError              2   the call is wrong
    ├── NotFoundError           3   file, zoo, id, encoder, repository, data set
    ├── CheckpointRefusedError  4   corrupt, truncated, unsafe, path escape, not finite, unknown carrier
    ├── HubError                5   network, authentication, gated
    └── PartialError            6   some inputs done, some failed

Whatever is not a WembedError is a broken assumption of ours and stays a traceback.
"""


class WembedError(Exception):
    """One line saying what failed and on what, and a hint saying what to try next.

    Args:
        message: what failed, on which file, tensor or axis, found versus expected; lower case, no full stop.
        hint: what to try next, or "".
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(WembedError):
    """The call itself is wrong."""

    exit_code = 2


class NotFoundError(WembedError):
    """A file, zoo, id, encoder, repository or data set is not there."""

    exit_code = 3


class CheckpointRefusedError(WembedError):
    """A checkpoint that is not read, because it is broken, unsafe or of no use here."""

    exit_code = 4


class HubError(WembedError):
    """The Hugging Face Hub could not be reached, or refused."""

    exit_code = 5


class PartialError(WembedError):
    """Some inputs were done and some failed; each failure has been reported already."""

    exit_code = 6
