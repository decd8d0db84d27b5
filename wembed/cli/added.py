"""What `zoo add` did, in rows and in a sentence."""

from wembed.zoo import AddedFile, AddResult


def added_row(file: AddedFile) -> dict[str, object]:
    """Gives the row of one file."""
    known = {name: getattr(file.row, name) for name in ("id", "params", "structure", "tier")} if file.row else {}
    free = file.free if file.row else None
    return {**known, "path": file.path, "status": file.status, "free": free, "note": "; ".join(file.notes) or None}


def summary(result: AddResult) -> str:
    """Gives the sentence: how many files, of how many structures, how many without symmetries."""
    refused = len(result.files) - len(result.kept)
    counts = f"{len(result.kept)} files, {result.structures} structures, {result.without_spec} without spec"
    return f"{counts}, {refused} refused" if refused else counts
