"""`wembed zoo pull`."""

import logging
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.catalog import Zoo
    from wembed.zoo.pull import Pulled, PullPlan, Reach

Globs = list[str] | None


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MANIFEST | REPO...]",
            help="A manifest, a packaged one by name, a lock file; or repositories, organisation/name[@revision], "
            "or - for these on standard input. Default: hub-tiny.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be fetched, from listings and headers; write nothing.")
    ] = False,
    where: Annotated[
        str, typer.Option("--where", metavar="SQL", help='Only what this is true of, such as "params < 2e8".')
    ] = "",
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="Only checkpoints up to this, such as 500MB."),
    ] = None,
    include: Annotated[
        Globs, typer.Option("--include", metavar="GLOB", help="Weight files to take, wherever they are; repeatable.")
    ] = None,
    exclude: Annotated[Globs, typer.Option("--exclude", metavar="GLOB", help="Files to leave; repeatable.")] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Take .bin and .pt files where there is no safetensors file.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="REV", help="Branch, tag or commit of repositories without one.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Files at once.")] = 4,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Without a byte, until a try is given up.")
    ] = 30.0,
    retries: Annotated[int, typer.Option("--retries", min=0, metavar="N", help="Tries in a row without a byte.")] = 5,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TOKEN", help="Of the Hub; default: HF_TOKEN, or its login.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody: what the lock and this machine's caches have.")
    ] = False,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fetch checkpoints from the Hugging Face Hub; a pull that was interrupted goes on where it was.

    Only safetensors, configs and other small JSON files are fetched. The zoo's hub.lock.jsonl says what was fetched,
    with each file's sha256, and repeats the pull when it is given as the MANIFEST.

    Example: wembed zoo pull google-bert/bert-base-uncased openai-community/gpt2 --dry-run
    """
    from wembed.catalog import Zoo
    from wembed.cli.pulling import PLAN_COLUMNS, amount, order_of, planned_row
    from wembed.hub.session import HubOptions
    from wembed.zoo.pull import FilesWanted, Limits, Reach, parse_size, plan_pull

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it repeats the server's words as they are
    output = Output.choose(format, json, quiet)
    if not math.isfinite(timeout):
        raise UsageError(f"--timeout {timeout}: expected a number of seconds")
    files = FilesWanted(tuple(include or ()), tuple(exclude or ()), allow_pickle)
    limits = Limits(max_size=parse_size(max_size) if max_size else None, where=where)
    order = order_of(options.with_standard_input(names) if names else [], revision, files).with_limits(limits)
    waiting = lambda what, seconds: output.note(f"{what}: the Hub asks to wait {seconds:.0f} s")  # noqa: E731
    way = Reach.offline() if offline else Reach.online(HubOptions(None, token, timeout, retries, waiting), jobs)
    with output.progress("looking up") as progress:
        plan = plan_pull(Zoo(zoo), order, way, progress)
    if plan.unasked:
        output.warn(f"{plan.unasked} queries are passed over offline; a lock file names what they found once")
    if plan.left_out:
        output.note(f"{plan.left_out} checkpoints are beyond the limits")
    if not dry_run:
        _pull(Zoo(zoo), plan, way, output)
        return
    output.rows([planned_row(candidate) for candidate in plan.candidates], PLAN_COLUMNS)
    output.note(f"{amount(plan.missing)} to fetch, {_free(zoo) / 1e6:,.1f} MB are free; nothing written")
    report_failures(output, [failure.error for failure in plan.failures], len(plan.candidates))


def _free(zoo: Path) -> int:
    """How many bytes fit beside a zoo, which need not be there."""
    there = next(folder for folder in (zoo.absolute(), *zoo.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(there).free


def _pull(zoo: "Zoo", plan: "PullPlan", reach: "Reach", output: Output) -> None:
    from wembed.cli.pulling import COLUMNS, amount, pulled_row
    from wembed.cli.transfers import transfer_bars
    from wembed.zoo.pull import pull as pull_into

    done: list[Pulled] = []
    total = sum(one.bytes for one in plan.missing)
    if total > (free := _free(zoo.root)):
        output.warn(f"{total / 1e6:,.1f} MB are to be fetched, and {free / 1e6:,.1f} MB are free")
    with transfer_bars(total, output) as told:
        for pulled in pull_into(zoo, plan.candidates, reach, told):
            done.append(pulled)
            if pulled.status == "pulled":
                output.note(f"{pulled.candidate.id}: {amount([pulled.candidate])}")
    place = {candidate.id: number for number, candidate in enumerate(plan.candidates)}
    done.sort(key=lambda pulled: place[pulled.candidate.id])
    output.rows([pulled_row(pulled, pulled.row) for pulled in done if pulled.row], COLUMNS)
    rows = [pulled.row for pulled in done if pulled.row]
    if rows:
        kept = amount(pulled.candidate for pulled in done if pulled.row)
        output.note(f"{kept} in {zoo.root}, {sum(pulled.status == 'pulled' for pulled in done)} of them new")
    errors = [failure.error for failure in plan.failures] + [pulled.error for pulled in done if pulled.error]
    report_failures(output, errors, len(rows))
    if rows:
        output.next_command("search", rows[0].id, zoo=zoo.root)
