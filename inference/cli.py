"""The command `dramatis`: make people, mix, edit and dub them, have them dance, and tell what was made by it."""

import json
import math
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from inference import seeds as seed_lists
from inference.cli_dance import dance
from inference.cli_lipsync import lipsync
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import Output, output
from inference.strangers import plain, shown_json

if TYPE_CHECKING:  # torch takes seconds to import: help and mistakes come before
    from inference.avatars import Avatars
    from inference.bundle import Bundle

Item = TypeVar("Item")

MISTAKE = 2
NOT_VALID = 1
INTERRUPTED = 130
STEPS = 5
MAX_STEPS = 200
SECONDS = 4.0
MAX_SECONDS = 120
PROGRESS_FROM = 24  # fewer are drawn before a bar would be read
MAX_SHOWN = 4000
RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")
SIGMAS = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)(?:\.\.([+-]?[0-9]+(?:\.[0-9]+)?))?")


app = typer.Typer(
    name="dramatis",
    help="Cast people who do not exist. Start with `dramatis generate`.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

BundleName = Annotated[str, typer.Option("--bundle", "-b", help="A bundle's name (see `dramatis doctor`) or folder.")]
Truncation = Annotated[float, numeric("--truncation", "-t", help="Variety: 0 the average person, 1 everything.")]
Scale = Annotated[int, numeric("--scale", whole=(1, 16), help="Enlarge the picture so many times.")]
Resample = Annotated[str, typer.Option(help="How to enlarge: bicubic or nearest.")]
Visible = Annotated[bool, typer.Option("--visible", help="Write a small AI into the corner, too.")]
Label = Annotated[int | None, numeric("--label", whole=(0, 999), help="The class, where a bundle has classes.")]
Layers = Annotated[str | None, typer.Option(help="Style layers, like 4-9: 0 is pose and shape, the last ones colours.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def generate(
    bundle: BundleName = "portrait",
    seeds: Annotated[str, typer.Option("--seeds", "-s", help="Numbers, ranges, names: 1-16, or 3,minji.")] = "1-16",
    truncation: Truncation = 0.7,
    cutoff: Annotated[int | None, numeric("--cutoff", whole=(0, 99), help="Truncate the first layers only.")] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", help="A .png for a grid, or a folder for single files.")
    ] = "avatars.png",
    each: Annotated[bool, typer.Option("--each", help="Write single files; --out is a folder.")] = False,
    columns: Annotated[int | None, numeric("--columns", whole=(1, 1000), help="Columns of the grid.")] = None,
    scale: Scale = 1,
    resample: Resample = "bicubic",
    visible: Visible = False,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Make people: a grid of them, or a file for each.

    \b
    dramatis generate                                    sixteen portraits in avatars.png
    dramatis generate --seeds 1-64 --truncation 1        more of them, of more variety
    dramatis generate --seeds minji,junho --scale 4      the people of two names
    dramatis generate -b fashion --seeds 1-20 --out cast/     twenty files in a folder
    """
    asked = seed_lists.parse(seeds)
    target = output(out, (".png",), True, each, scale=scale, resample=resample, visible=visible)
    if target.is_folder:
        if columns is not None:
            raise UserError(f"--columns {columns} goes with a grid, and {out} is a folder of single files")
        asked = list({seed.number: seed for seed in asked}.values())  # a file for each, once
    avatars = _avatars(bundle, label)
    recipe = _recipe("generate", avatars.bundle, label) | {"truncation": truncation, "cutoff": cutoff}
    from inference.avatars import grid, square

    width, height = avatars.config.width, avatars.config.height
    across = 1 if target.is_folder else min(columns or square(len(asked), width, height), len(asked))
    target.check_size(across * width, (1 if target.is_folder else math.ceil(len(asked) / across)) * height)
    avatars.w(asked[0].number, truncation, cutoff)  # what is out of range is told before the work
    target.check_writable()
    pictures = (avatars.picture(avatars.w(seed.number, truncation, cutoff)) for seed in asked)
    pictures = _progress(pictures, len(asked), "drawing")
    if target.is_folder:
        for seed, picture in zip(asked, pictures, strict=True):
            target.save(picture, recipe | _people([seed]), f"{avatars.bundle.name}-{seed.number}")
    else:
        target.save(grid(pictures, across), recipe | _people(asked) | {"columns": across})
    _tell(target, avatars.bundle, f"{_count(len(asked), 'avatar')} of {avatars.bundle.name}", as_json)


@app.command()
def mix(
    a: Annotated[str, typer.Argument(metavar="A", help="A seed or a name.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    bundle: BundleName = "portrait",
    layers: Layers = None,
    share: Annotated[float | None, numeric("--share", help="How much of B: half, or all with --layers.")] = None,
    steps: Annotated[int | None, numeric("--steps", whole=(2, MAX_STEPS), help="Draw the way from A to B.")] = None,
    seconds: Annotated[
        float | None, numeric("--seconds", help="How long one round of the video takes: 4 if left out.")
    ] = None,
    truncation: Truncation = 0.7,
    out: Annotated[
        str, typer.Option("--out", "-o", help="A .png, or an .mp4 that goes from A to B and back.")
    ] = "mix.png",
    scale: Scale = 1,
    resample: Resample = "bicubic",
    visible: Visible = False,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Mix two people.

    \b
    dramatis mix 3 minji                        half of each
    dramatis mix 3 minji --layers 4-9           3, in the colours and details of minji
    dramatis mix 3 minji --steps 8              the way from one to the other
    dramatis mix 3 minji --out loop.mp4 --scale 4    the same as a video without end
    """
    pair = [_one(a), _one(b)]
    chosen = _layers(layers)
    target = output(out, (".png", ".mp4"), scale=scale, resample=resample, visible=visible)
    _check_way(target, share, steps, seconds)
    avatars = _avatars(bundle, label)
    ends = [avatars.w(seed.number, truncation) for seed in pair]
    recipe = _recipe("mix", avatars.bundle, label) | _people(pair) | {"truncation": truncation, "layers": layers}
    amount = share if share is not None else (0.5 if chosen is None else 1.0)
    middle = avatars.mix(*ends, amount, chosen)  # layers and share are checked before the work
    target.check_size((steps or 1) * avatars.config.width, avatars.config.height)
    target.check_writable()
    if target.is_video:
        length = SECONDS if seconds is None else seconds
        target.save_video(_encode(target, _loop(avatars, ends, chosen, length), length), recipe | {"seconds": length})
    elif steps:
        from inference.avatars import grid

        pictures = _progress(avatars.interpolate(*ends, steps, chosen), steps, "drawing")
        target.save(grid(pictures, steps), recipe | {"steps": steps})
    else:
        target.save(avatars.picture(middle), recipe | {"share": amount})
    _tell(target, avatars.bundle, f"{pair[0].title} and {pair[1].title} of {avatars.bundle.name}", as_json)


@app.command()
def edit(
    bundle: BundleName = "portrait",
    seed: Annotated[str, typer.Option("--seed", "-s", help="Whom: seeds and names, one row each.")] = "1",
    direction: Annotated[
        str | None, typer.Option("--direction", "-d", help="Which: 0 (the strongest), 0-3, or a name.")
    ] = None,
    sigmas: Annotated[str | None, typer.Option(help="How far: 2, or -2..2 for a strip.")] = None,
    steps: Annotated[
        int | None, numeric("--steps", whole=(2, MAX_STEPS), help="Pictures in a strip: 5 if left out.")
    ] = None,
    layers: Layers = None,
    sheet: Annotated[bool, typer.Option("--sheet", help="A slider sheet: a row for each direction.")] = False,
    truncation: Truncation = 0.7,
    out: Annotated[str, typer.Option("--out", "-o", help="The .png to write.")] = "edit.png",
    scale: Scale = 1,
    resample: Resample = "bicubic",
    visible: Visible = False,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Change people along principal directions.

    These are the directions in which the bundle's people differ: 0 is the one along which they differ most.

    \b
    dramatis edit --seed minji --sheet                    every direction, from -2 to 2 sigmas
    dramatis edit --seed minji --direction 1 --sigmas 3   one of them, far
    dramatis edit --seed 1-4 --direction 0-2 --sigmas -2..2 --layers 2-6    strips, in some layers
    """
    people, chosen = seed_lists.parse(seed), _layers(layers)
    amounts = _sigmas(sigmas if sigmas is not None else ("-2..2" if sheet else "2"), steps)
    target = output(out, (".png",), scale=scale, resample=resample, visible=visible)
    avatars = _avatars(bundle, label)
    asked = direction if direction is not None else ("all" if sheet else "0")
    rows = [avatars.direction(row) for row in _directions(asked, avatars.directions)]
    count = len(people) * len(rows)
    across = len(amounts) if len(amounts) > 1 else min(count, 8)
    target.check_size(across * avatars.config.width, math.ceil(count * len(amounts) / across) * avatars.config.height)
    starts = [avatars.w(person.number, truncation) for person in people]
    avatars.edit(starts[0], rows[0], max(amounts, key=abs), chosen)  # what is out of range is told before the work
    target.check_writable()
    from inference.avatars import grid

    pictures = (tile for ws in starts for row in rows for tile in avatars.slider(ws, row, amounts, chosen))
    pictures = _progress(pictures, count * len(amounts), "drawing")
    recipe = _recipe("edit", avatars.bundle, label) | _people(people) | {"truncation": truncation, "columns": across}
    edits = {"directions": rows, "sigmas": amounts, "layers": layers}
    target.save(grid(pictures, across), recipe | {"edits": edits})
    along = f"along {'direction' if len(rows) == 1 else 'directions'} {seed_lists.shorten(rows)}"
    far = ", ".join(f"{amount:+g}" if amount else "0" for amount in amounts)
    _tell(target, avatars.bundle, f"{_titles(people)} of {avatars.bundle.name} {along} by {far} sigmas", as_json)


app.command()(lipsync)
app.command()(dance)


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures and videos.")],
    as_json: Json = False,
) -> int:
    """Check the marks of files, and show the recipes.

    The exit code is 0 if every file is valid, 1 if one was changed or has no mark, 2 if one cannot be read: its line
    goes to stderr, and the others are told all the same.

    \b
    dramatis verify avatars.png
    dramatis verify cast/*.png --json
    """
    from inference import mark

    told, code = [], 0
    for path in files:
        try:
            verdict = mark.read(path)
        except UserError as error:
            code = _fail(str(error))
            continue
        code = max(code, 0 if verdict.state == "valid" else NOT_VALID)
        told.append({"path": str(path), **vars(verdict)})
        if not as_json:
            print(f"{plain(path)}: {_sentence(verdict)}")
    if as_json:
        print(shown_json(told))
    return code


@app.command()
def doctor(as_json: Json = False) -> int:
    """Tell what is installed, and what is missing.

    The exit code is 0 if avatars can be made, 1 if something that they need is missing.
    """
    from inference import doctor as examination

    findings = examination.examine()
    if as_json:
        print(shown_json(findings))
    else:
        print("\n".join(map(plain, examination.lines(findings))))
    return 0 if findings["ready"] else NOT_VALID


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is half written is taken away
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and give its exit code; what a person can mend is one line on stderr and 2."""
    try:
        code = app(list(arguments) or ["--help"], prog_name="dramatis", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone: nobody is left to be told
        return INTERRUPTED
    except UserError as error:
        return _fail(str(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{(error.strerror or str(error)).lower()}{where}")
    except Exception as error:
        # Typer's own errors are of a class of click's, or of a copy of it, by version; this they have in common.
        if not hasattr(error, "format_message"):
            raise
        return _fail(error.format_message().rstrip(".") + "; see --help")
    return code if isinstance(code, int) else 0


# -- what the commands share -------------------------------------------------------------------------------------------


def _avatars(name: str, label: int | None) -> "Avatars":
    from inference import bundle as bundles

    bundle = bundles.load(name)
    if bundle.is_starter and str(name) == bundle.name:
        print(f"{name} is the shipped starter: nothing was trained and exported here yet", file=sys.stderr)
    from inference.avatars import Avatars

    return Avatars(bundle, label)


def _one(text: str) -> seed_lists.Seed:
    found = seed_lists.parse(text)
    if len(found) != 1:
        raise UserError(f"{text!r} must be one seed or name: two people are mixed")
    return found[0]


def _range(option: str, text: str) -> list[int] | None:
    """Read "4" or "4-9"; None for what is neither."""
    found = RANGE.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise UserError(f"{option} {text!r} runs backwards: write {last}-{first}")
    return list(range(first, last + 1))


def _layers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    if (found := _range("--layers", text)) is None:
        raise UserError(f"--layers {text[:60]!r} must be a layer or a range of layers, like 4-9")
    return found


def _sigmas(text: str, steps: int | None) -> list[float]:
    found = SIGMAS.fullmatch(text) if len(text) < 40 else None
    if not found:
        raise UserError(f"--sigmas {text[:60]!r} must be a number like 2, or a range like -2..2")
    first = float(found[1])
    if found[2] is None:
        if steps is not None:
            raise UserError(f"--steps {steps} goes with a strip: give --sigmas a range like -2..2")
        return [first]
    steps = STEPS if steps is None else steps
    return [first + (float(found[2]) - first) * step / (steps - 1) for step in range(steps)]


def _directions(text: str, count: int) -> list[int | str]:
    """Read "all", a name, a number or a range; whether the bundle has them is the bundle's to say."""
    if text == "all":
        return list(range(count))
    return _range("--direction", text) or [text]


def _check_way(target: Output, share: float | None, steps: int | None, seconds: float | None) -> None:
    """Refuse options that would have no effect together, and videos that cannot be written here."""
    if share is not None and (steps or target.is_video):
        raise UserError(f"--share {share:g} goes with a single picture: --steps and videos go from A to B")
    if steps and target.is_video:
        raise UserError(f"--steps {steps} goes with a .png: give a video --seconds")
    if seconds is not None and not target.is_video:
        raise UserError(f"--seconds {seconds:g} goes with a video: --out must end in .mp4")
    if seconds is not None and not 0.2 <= seconds <= MAX_SECONDS:
        raise UserError(f"--seconds {seconds:g} must be from 0.2 to {MAX_SECONDS}")
    if target.is_video:
        from inference import video  # noqa: F401  without PyAV it tells so


def _loop(avatars: "Avatars", ends: list, layers: list[int] | None, seconds: float) -> Iterator:
    """Draw from A to B and back, slow at both ends, so that the last frame leads into the first."""
    from inference.video import FPS

    count = max(2, round(seconds * FPS))
    for frame in range(count):
        t = (1 - math.cos(2 * math.pi * frame / count)) / 2
        yield avatars.picture(avatars.mix(*ends, t, layers))


def _encode(target: Output, frames: Iterator, seconds: float) -> bytes:
    from inference import video  # brings PyAV, which stills do not need

    frames = _progress(frames, max(2, round(seconds * video.FPS)), "drawing")
    return video.encode(target.enlarge(frame) for frame in frames)


def _recipe(command: str, bundle: "Bundle", label: int | None) -> dict[str, Any]:
    about = {key: bundle.manifest[key] for key in ("name", "version", "demo")} | {"sha256": bundle.sha256}
    return {"command": command, "bundle": about} | ({} if label is None else {"class": label})


def _people(people: list[seed_lists.Seed]) -> dict[str, Any]:
    names = {seed.name: seed.number for seed in people if seed.name}
    return {"seeds": [seed.number for seed in people]} | ({"names": names} if names else {})


def _progress(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    if total < PROGRESS_FROM or not sys.stderr.isatty():
        yield from items
        return
    with typer.progressbar(items, length=total, label=label, file=sys.stderr) as bar:
        yield from bar


def _tell(target: Output, bundle: "Bundle", what: str, as_json: bool) -> None:
    if as_json:
        print(shown_json({"bundle": {"name": bundle.name, "sha256": bundle.sha256}, "files": target.written}))
        return
    toy = " (a toy, of the rendered demo world)" if bundle.manifest["demo"] else ""
    files = _count(len(target.written), "file") + " in " if target.is_folder else ""
    print(f"{files}{plain(target.path)}: {plain(what)}{toy}, marked as made by AI")


def _sentence(verdict: Any) -> str:
    if verdict.state == "absent":
        return f"no mark{_because(verdict)}: nothing tells where it comes from"
    if verdict.state == "invalid":
        return f"invalid{_because(verdict)}: changed since it was signed, or forged"
    made = "made by AI" if verdict.generated else "marked, not as made by AI"
    # The name is the signer's own word: quoted, and after what is known.
    name = json.dumps(verdict.signer, ensure_ascii=False)
    who = f"signed {'on this machine' if verdict.here else 'elsewhere'} by {name}"
    recipe = ""
    if verdict.recipe:
        text = plain(json.dumps(verdict.recipe, ensure_ascii=False))
        recipe = f"; {text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '... (--json shows all of it)'}"
    return f"valid: {made}, {who}{recipe}"


def _because(verdict: Any) -> str:
    return f" ({', '.join(verdict.reasons)})" if verdict.reasons else ""


def _titles(people: list[seed_lists.Seed]) -> str:
    names = [seed.name for seed in people if seed.name]
    numbers = seed_lists.shorten([seed.number for seed in people if not seed.name])
    return ", ".join([*names, *([f"seed {numbers}"] if numbers else [])])


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _fail(line: str) -> int:
    print(f"error: {plain(' '.join(line.split()))}", file=sys.stderr)
    return MISTAKE
