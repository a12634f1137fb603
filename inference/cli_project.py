"""The command `dramatis project`: find the person of a bundle who comes nearest to a picture."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inference import casting
from inference.casting import BundleName, Json, Label, Resample, Scale, Visible
from inference.cli_lipsync import consent_of
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import Output, output, part, spare
from inference.strangers import plain, shown_json

if TYPE_CHECKING:  # torch and OpenCV take seconds to import: help and mistakes come before
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor

    from inference.avatars import Avatars
    from inference.bundle import Bundle

MAX_BYTES = 1 << 26
MAX_PIXELS = 50_000_000
LEAST_MATTE = 0.5  # of the network's confidence: below, it saw nobody
LONGEST = 1600  # pixels of the decoded picture
MAX_STEPS = 10_000
FRAMES, HOLD = 150, 25  # of a film: of the search, about, and of its end


def project(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A picture of one person.")],
    bundle: BundleName = "portrait",
    out: Annotated[str, typer.Option("--out", "-o", help="The .npz to write; a .png to look at goes beside it.")] = (
        "person.npz"
    ),
    plus: Annotated[
        bool, typer.Option("--plus", help="A style for each layer (W+): nearer to the picture, worse to edit.")
    ] = False,
    steps: Annotated[int, numeric("--steps", whole=(1, MAX_STEPS), help="Steps of the search.")] = 1000,
    seed: Annotated[int, numeric("--seed", whole=(0, 999_999_999), help="Of the search.")] = 0,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Take the picture as it is: framed and on white already."),
    ] = False,
    film: Annotated[bool, typer.Option("--film", help="Write the search as an .mp4 beside it.")] = False,
    consent: Annotated[
        str | None, typer.Option(help="Who agreed to this, as text or a file: it goes into the signed mark.")
    ] = None,
    scale: Scale = 1,
    resample: Resample = "bicubic",
    visible: Visible = False,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Find the person of a bundle who comes nearest to a picture.

    \b
    dramatis project me.jpg --out me.npz --film       the person, and a picture of both beside
    dramatis edit --from me.npz --sheet
    dramatis mix minji --from me.npz --layers 4-9

    What is nearest is told by pixels and edges at several scales: no network that knows faces ships here. A bundle
    draws people like those it was trained on; of others it finds colours and pose, hardly the likeness.
    """
    target = output(out, (".npz",), scale=scale, resample=resample, visible=visible)
    for beside in (".npz", ".png", ".mp4"):
        spare(target.path.with_suffix(beside), {"PICTURE": Path(picture)})
    record, data = consent_of(consent), _read(Path(picture))
    if film:
        casting.check_seconds(None, people=2)  # without PyAV it tells so
    avatars = casting.open_avatars(bundle, label)
    wanted = _framed(data, picture, avatars, whole)
    target.check_size(2 * avatars.config.width, avatars.config.height)
    target.check_writable()
    from inference.avatars import grid
    from inference.people import Found, model_of

    way = _search(avatars, wanted, steps, plus, seed)
    person = Found(way[-1].numpy(), model_of(avatars.bundle), hashlib.sha256(data).hexdigest())
    made = avatars.picture(way[-1])
    apart = round(float(abs(made.astype(int) - wanted).mean()), 2)
    recipe = casting.recipe_of("project", avatars.bundle, label)
    recipe |= {"picture": {"sha256": person.picture}, "plus": plus, "steps": steps, "seed": seed, "whole": whole}
    recipe |= {"grey_levels_apart": apart, "consent": record}
    with part(target.path) as kept:
        person.save(kept)
        kept.replace(target.path)
    still = replace(target, path=target.path.with_suffix(".png"))
    still.save(grid([wanted, made], 2), recipe, composite=True)
    if film:
        shown = way[:: max(1, len(way) // FRAMES)] + way[-1:] * HOLD
        frames = (grid([wanted, avatars.picture(ws)], 2) for ws in shown)
        video = casting.encode(target, frames, len(shown))
        replace(target, path=target.path.with_suffix(".mp4")).save_video(video, recipe, composite=True)
    _tell(target, avatars.bundle, apart, record, as_json)


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}: give a picture") from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} has more than the {MAX_BYTES >> 20} MB that a picture may have")
    return data


def _framed(data: bytes, name: str, avatars: "Avatars", whole: bool) -> "np.ndarray":
    """Bring a picture to the generator's size, framed as faces are in a corpus; uint8 HxWx3."""
    import numpy as np
    from PIL import Image, ImageOps

    from inference import framing, media

    try:
        image = media.flatten(media.decode(data, MAX_PIXELS, LONGEST))
    except media.MediaError as error:
        raise UserError(f"{name} cannot be read ({error.reason}: {error}): give another picture") from None
    width, height = avatars.config.width, avatars.config.height
    if avatars.bundle.manifest["subject"] == "face" and not whole:
        from inference.faces import FaceDetector

        picture = np.asarray(image)
        faces = FaceDetector().detect(picture)
        if not faces:
            raise UserError(f"{name} shows no face that is found: give another picture, or --whole if it is framed")
        crop = framing.lift(framing.around_face(faces[0], height / width), picture.shape[0])
        image = _on_white(Image.fromarray(framing.cut(picture, crop)))
    return np.asarray(ImageOps.pad(image, (width, height), Image.Resampling.LANCZOS, (255, 255, 255)))


def _on_white(image: "Image") -> "Image":
    """Take the ground away, as a corpus does: without it, colours of the ground are looked for in people."""
    from PIL import Image

    from inference import mattes, weights

    matte = mattes.NetworkMatter(mattes.onnx_network(weights.path("u2netp"), threads=1))(image)
    if matte.confidence < LEAST_MATTE:
        return image
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image, mask=Image.fromarray(matte.coverage).resize(image.size, Image.Resampling.LANCZOS))
    return ground


def _search(avatars: "Avatars", wanted: "np.ndarray", steps: int, plus: bool, seed: int) -> list["Tensor"]:
    """Give the styles [num_ws, w_dim] of each step."""
    from inference.avatars import on_one_thread
    from inference.projection import Search

    with on_one_thread():  # else the person would depend on the machine's cores
        search = Search(avatars.generator, wanted[None], steps, plus, seed, avatars.label)
        way = []
        for _ in casting.progress(range(steps), steps, "searching"):
            search.step()
            way.append(search.ws[0])
    return way


def _tell(target: Output, bundle: "Bundle", apart: float, record: dict[str, str] | None, as_json: bool) -> None:
    if as_json:
        found = {"person": str(target.path), "grey_levels_apart": apart}
        print(shown_json({"bundle": casting.named(bundle), **found, "files": target.written}))
        return
    toy = casting.toy(bundle)
    beside = " and ".join(plain(file["path"]) for file in target.written)
    agreed = "consent on record" if record else "no consent on record (--consent)"
    print(
        f"{plain(target.path)}: of {bundle.name}{toy}, {apart:g} grey levels from the picture: see {beside}, {agreed}"
    )
