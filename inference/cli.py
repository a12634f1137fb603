"""The command `dramatis`: make people, mix, edit and dub them, have them dance, and tell what was made by it."""

import json
import math
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from inference import casting
from inference import seeds as seed_lists
from inference.casting import BundleName, From, Json, Label, Layers, Resample, Scale, Truncation, Visible
from inference.cli_dance import dance
from inference.cli_lipsync import lipsync
from inference.cli_project import project
from inference.cli_walk import walk
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import Output, output
from inference.strangers import plain, shown_json

MISTAKE = 2
NOT_VALID = 1
INTERRUPTED = 130
MAX_SHOWN = 4000


app = typer.Typer(
    name="dramatis",
    help="Cast people who do not exist. Start with `dramatis generate`.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def generate(
    bundle: BundleName = "portrait",
    seeds: Annotated[str, typer.Option("--seeds", "-s", help="Numbers, ranges, names: 1-16, or 3,minji.")] = "1-16",
    truncation: Annotated[
        str, typer.Option("--truncation", "-t", help="Variety: 0 the average person, 1 everything; 0..1 for a strip.")
    ] = "0.7",
    steps: Annotated[
        int | None, numeric("--steps", whole=(2, casting.MAX_STEPS), help="Pictures in a strip: 5 if left out.")
    ] = None,
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
    dramatis generate --seeds 1-4 --truncation 0..1      from the average person to all that each one is
    dramatis generate -b fashion --seeds 1-20 --out cast/     twenty files in a folder
    """
    asked, psis = seed_lists.parse(seeds), casting.amounts("--truncation", truncation, steps, "0.7 0..1")
    target = output(out, (".png",), True, each, scale=scale, resample=resample, visible=visible)
    _check_sheet(target, columns, psis)
    if target.is_folder:
        asked = list({seed.number: seed for seed in asked}.values())  # a file for each, once
    avatars = casting.open_avatars(bundle, label)
    recipe = casting.recipe_of("generate", avatars.bundle, label)
    recipe |= {"truncation": psis[0] if len(psis) == 1 else psis, "cutoff": cutoff}
    from inference.avatars import grid, square

    width, height, count = avatars.config.width, avatars.config.height, len(asked) * len(psis)
    across = len(psis) if len(psis) > 1 else min(columns or square(count, width, height), count)
    across, down = (1, 1) if target.is_folder else (across, math.ceil(count / across))
    target.check_size(across * width, down * height)
    avatars.w(asked[0].number, max(psis, key=abs), cutoff)  # what is out of range is told before the work
    target.check_writable()
    pictures = (avatars.picture(avatars.w(seed.number, psi, cutoff)) for seed in asked for psi in psis)
    pictures = casting.progress(pictures, count, "drawing")
    if target.is_folder:
        for seed, picture in zip(asked, pictures, strict=True):
            target.save(picture, recipe | casting.people_of([seed]), f"{avatars.bundle.name}-{seed.number}")
    else:
        target.save(grid(pictures, across), recipe | casting.people_of(asked) | {"columns": across})
    made = casting.counted(len(asked), "avatar")
    casting.tell(target, avatars.bundle, f"{made} of {avatars.bundle.name}", as_json)


@app.command()
def mix(
    a: Annotated[str, typer.Argument(metavar="A", help="A seed or a name; several with --grid.")],
    b: Annotated[str | None, typer.Argument(metavar="B", help="Another one; with --from, A is the other one.")] = None,
    bundle: BundleName = "portrait",
    begin: From = None,
    layers: Layers = None,
    share: Annotated[float | None, numeric("--share", help="How much of B: half, or all with --layers.")] = None,
    crossed: Annotated[bool, typer.Option("--grid", help="A row for each of A, a column for each of B.")] = False,
    steps: Annotated[
        int | None, numeric("--steps", whole=(2, casting.MAX_STEPS), help="Draw the way from A to B.")
    ] = None,
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
    """Mix two people, or each of some with each of others.

    \b
    dramatis mix 3 minji                        half of each
    dramatis mix 3 minji --layers 4-9           3, in the colours and details of minji
    dramatis mix 1-4 5-8 --grid --layers 0-3    a sheet: the shape of 5 to 8, the colours and details of 1 to 4
    dramatis mix minji --from me.npz            half of who was found in a picture, half of minji
    dramatis mix 3 minji --steps 8              the way from one to the other
    dramatis mix 3 minji --out loop.mp4 --scale 4    the same as a video without end
    """
    first, second = ([] if text is None else seed_lists.parse(text) for text in _pair(a, b, begin))
    if not crossed and (len(first) > 1 or len(second) > 1):
        raise UserError(f"{a!r} and {b!r} must be one seed or name each: more of them are mixed with --grid")
    chosen = casting.layers_of(layers)
    target = output(out, (".png", ".mp4"), scale=scale, resample=resample, visible=visible)
    length = _check_way(target, share, crossed, steps, seconds)
    avatars = casting.open_avatars(bundle, label)
    across, down = (len(second) + 1, max(len(first), 1) + 1) if crossed else (steps or 1, 1)
    target.check_size(across * avatars.config.width, down * avatars.config.height)
    cast = casting.cast(avatars, [*first, *second], truncation, begin)
    rows, columns = cast.styles[: -len(second)], cast.styles[-len(second) :]
    recipe = casting.recipe_of("mix", avatars.bundle, label) | cast.recipe | {"layers": layers}
    amount = share if share is not None else (0.5 if chosen is None else 1.0)
    middle = avatars.mix(rows[0], columns[0], amount, chosen)  # layers and share are checked before the work
    target.check_writable()
    from inference.avatars import grid

    if target.is_video:
        count = casting.frames_in(length)
        frames = avatars.walk([rows[0], columns[0]], count, chosen)
        target.save_video(casting.encode(target, frames, count), recipe | {"seconds": length})
    elif crossed:
        tiles = casting.progress(avatars.crossed(rows, columns, amount, chosen), across * down, "drawing")
        target.save(grid(tiles, across), recipe | {"share": amount, "rows": len(rows)})
    elif steps:
        pictures = avatars.interpolate(rows[0], columns[0], steps, chosen)
        target.save(grid(casting.progress(pictures, steps, "drawing"), steps), recipe | {"steps": steps})
    else:
        target.save(avatars.picture(middle), recipe | {"share": amount})
    casting.tell(target, avatars.bundle, f"a mix of {cast.title} of {avatars.bundle.name}", as_json)


@app.command()
def edit(
    bundle: BundleName = "portrait",
    seed: Annotated[
        str | None, typer.Option("--seed", "-s", help="Whom: seeds and names, one row each; 1 if left out.")
    ] = None,
    begin: From = None,
    direction: Annotated[
        str | None, typer.Option("--direction", "-d", help="Which: 0 (the strongest), 0-3, sefa:0, or a name.")
    ] = None,
    sigmas: Annotated[str | None, typer.Option(help="How far: 2, or -2..2 for a strip.")] = None,
    steps: Annotated[
        int | None, numeric("--steps", whole=(2, casting.MAX_STEPS), help="Pictures in a strip: 5 if left out.")
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
    """Change people along directions.

    Numbers are the principal directions, in which the bundle's people differ: 0 is the one along which they differ
    most. Those of the closed form (SeFa) change most what the network draws with: sefa:0 is the strongest. What a
    bundle names (like hair, light) was measured to do so; its card says how well, and what else it moves.

    \b
    dramatis edit --seed minji --sheet                    every direction, from -2 to 2 sigmas
    dramatis edit --seed minji --direction 1 --sigmas 3   one of them, far
    dramatis edit --seed minji --direction hair --sigmas -2..2        darker to lighter hair
    dramatis edit --seed minji --direction sefa:0-7 --sigmas -2..2    those of the closed form
    dramatis edit --seed 1-4 --direction 0-2 --sigmas -2..2 --layers 2-6    strips, in some layers
    """
    people = [] if seed is None and begin else seed_lists.parse("1" if seed is None else seed)
    chosen = casting.layers_of(layers)
    sigmas = sigmas if sigmas is not None else ("-2..2" if sheet else "2")
    amounts = casting.amounts("--sigmas", sigmas, steps, "2 -2..2")
    target = output(out, (".png",), scale=scale, resample=resample, visible=visible)
    avatars = casting.open_avatars(bundle, label)
    asked = direction if direction is not None else ("all" if sheet else "0")
    rows = _directions(asked, avatars.directions)
    count = (len(people) + (begin is not None)) * len(rows)
    across = len(amounts) if len(amounts) > 1 else min(count, 8)
    target.check_size(across * avatars.config.width, math.ceil(count * len(amounts) / across) * avatars.config.height)
    cast = casting.cast(avatars, people, truncation, begin)
    for row in rows:
        avatars.edit(cast.styles[0], row, max(amounts, key=abs), chosen)  # what is out of range is told before the work
    target.check_writable()
    from inference.avatars import grid

    pictures = (tile for ws in cast.styles for row in rows for tile in avatars.slider(ws, row, amounts, chosen))
    pictures = casting.progress(pictures, count * len(amounts), "drawing")
    recipe = casting.recipe_of("edit", avatars.bundle, label) | cast.recipe | {"columns": across}
    edits = {"directions": rows, "sigmas": amounts, "layers": layers}
    target.save(grid(pictures, across), recipe | {"edits": edits})
    along = f"along {'direction' if len(rows) == 1 else 'directions'} {_named(rows)}"
    far = ", ".join(f"{amount:+g}" if amount else "0" for amount in amounts)
    whom = f"{cast.title} of {avatars.bundle.name}"
    casting.tell(target, avatars.bundle, f"{whom} {along} by {far} sigmas", as_json)


app.command()(walk)
app.command()(project)
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


# -- how the commands read what they are asked -------------------------------------------------------------------------


def _pair(a: str, b: str | None, begin: str | None) -> tuple[str | None, str]:
    """Tell who is mixed with whom: with --from, the one who was found stands first."""
    if (b is None) != (begin is not None):
        raise UserError("mix takes two, A and B, or --from and one of them")
    return (None, a) if b is None else (a, b)


def _check_sheet(target: Output, columns: int | None, psis: list[float]) -> None:
    """Refuse what has no effect together, or no place to go."""
    if columns is not None and target.is_folder:
        raise UserError(f"--columns {columns} goes with a grid, and {target.path} is a folder of single files")
    if len(psis) > 1 and (target.is_folder or columns is not None):
        raise UserError("a strip of truncations has a row for each person: --out must end in .png, without --columns")


def _check_way(
    target: Output, share: float | None, crossed: bool, steps: int | None, seconds: float | None
) -> float | None:
    """Refuse options that would have no effect together, and videos that cannot be written; a video's length."""
    if crossed and (steps or target.is_video):
        raise UserError("--grid is a sheet of single pictures: leave --steps out, and let --out end in .png")
    if share is not None and (steps or target.is_video):
        raise UserError(f"--share {share:g} goes with single pictures: --steps and videos go from A to B")
    if steps and target.is_video:
        raise UserError(f"--steps {steps} goes with a .png: give a video --seconds")
    if seconds is not None and not target.is_video:
        raise UserError(f"--seconds {seconds:g} goes with a video: --out must end in .mp4")
    return casting.check_seconds(seconds, people=2) if target.is_video else None


def _directions(text: str, count: int) -> list[int | str]:
    """Read "all", a name, a number or a range, sefa:0-3 as well; whether they are there is the bundle's to say."""
    if text == "all":
        return list(range(count))
    family, colon, numbers = text.rpartition(":")
    found = casting.whole_range("--direction", numbers)
    if found and colon:
        return [f"{family}:{number}" for number in found]
    return found or [text]


def _named(rows: list[int | str]) -> str:
    numbers = seed_lists.shorten([row for row in rows if isinstance(row, int)])
    return ", ".join([*([numbers] if numbers else []), *(row for row in rows if isinstance(row, str))])


# -- what they say -----------------------------------------------------------------------------------------------------


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


def _fail(line: str) -> int:
    print(f"error: {plain(' '.join(line.split()))}", file=sys.stderr)
    return MISTAKE
