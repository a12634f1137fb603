"""The command `dramatis walk`: a video through several people and back to the first."""

from typing import Annotated

import typer

from inference import casting
from inference import seeds as seed_lists
from inference.casting import BundleName, From, Json, Label, Layers, Resample, Scale, Truncation, Visible
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import output


def walk(
    bundle: BundleName = "portrait",
    seeds: Annotated[str, typer.Option("--seeds", "-s", help="Numbers, ranges, names, in their order.")] = "1-6",
    begin: From = None,
    seconds: Annotated[
        float | None, numeric("--seconds", help="How long one round takes: 2 for each person if left out.")
    ] = None,
    layers: Layers = None,
    truncation: Truncation = 0.7,
    out: Annotated[str, typer.Option("--out", "-o", help="The .mp4 to write.")] = "walk.mp4",
    scale: Scale = 1,
    resample: Resample = "bicubic",
    visible: Visible = False,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Walk through people, in a video without end.

    The way is straight in w from each person to the next, slow at each one, and from the last back to the first.

    \b
    dramatis walk --seeds 1-6 --seconds 12 --scale 4
    dramatis walk --seeds minji,junho,7 --out three.mp4
    dramatis walk --seeds 1-6 --layers 5-9       the first one, in the colours and details of the others
    """
    people, chosen = seed_lists.parse(seeds), casting.layers_of(layers)
    number = len(people) + (begin is not None)
    if number < 2:
        raise UserError(f"--seeds {seeds!r} must be two people or more: a walk leads from one to the next")
    target = output(out, (".mp4",), scale=scale, resample=resample, visible=visible)
    length = casting.check_seconds(seconds, number)
    avatars = casting.open_avatars(bundle, label)
    cast = casting.cast(avatars, people, truncation, begin)
    avatars.mix(cast.styles[0], cast.styles[1], 1.0, chosen)  # layers are checked before the work
    target.check_size(avatars.config.width, avatars.config.height)
    target.check_writable()
    count = casting.frames_in(length)
    recipe = casting.recipe_of("walk", avatars.bundle, label) | cast.recipe | {"layers": layers, "seconds": length}
    target.save_video(casting.encode(target, avatars.walk(cast.styles, count, chosen), count), recipe)
    casting.tell(target, avatars.bundle, f"a walk through {cast.title} of {avatars.bundle.name}", as_json)
