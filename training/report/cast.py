"""The part of the page about the people: made from the exported bundle by the package that ships."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from inference import bundle as bundles
from inference import media
from inference.avatars import Avatars
from inference.bundle import Bundle
from inference.errors import UserError
from preprocessing import packing
from training.report.card import card
from training.report.pictures import inline
from training.report.settings import Settings

COARSE = 0.4  # of the layers, the share that carries shape and pose
SLIDER_SEED = 1  # whom the sliders change


@dataclass(frozen=True)
class Cast:
    """What the page shows of one bundle."""

    people: list[dict]  # seed, picture
    truncation: float
    width: int
    height: int
    mixes: list[list[dict]]  # rows of seed and picture; the first row and column are the sources
    layers: str  # those of the column's person
    commands: dict[str, str]  # which make such pictures by hand
    sliders: list[dict]  # direction, pictures
    sigmas: list[str]
    slider_seed: int
    nearest: list[dict]  # seed, picture, near: picture and distance
    card: list[tuple[str, str]]
    name: str
    sha256: str
    made: str


def cast(folder: Path, metrics: Path, pack: Path, settings: Settings) -> Cast | None:
    """Make the pictures of the bundle in `folder`, or None where there is none."""
    if not (folder / bundles.MANIFEST).exists():
        return None
    bundle = bundles.load(folder)
    avatars = Avatars(bundle, label=0 if bundle.config.classes else None)
    seeds = range(1, settings.avatars + 1)
    pictures = avatars.generate(list(seeds), settings.truncation)
    return Cast(
        people=[{"seed": seed, "picture": inline(picture)} for seed, picture in zip(seeds, pictures, strict=True)],
        truncation=settings.truncation,
        width=bundle.config.width,
        height=bundle.config.height,
        mixes=mixes(avatars, settings),
        layers=layers_text(avatars),
        commands=commands(avatars, settings),
        sliders=sliders(avatars, settings),
        sigmas=[f"{sigmas:+g}" if sigmas else "0" for sigmas in settings.sigmas],
        slider_seed=SLIDER_SEED,
        nearest=nearest_training(avatars, metrics, pack, settings),
        card=card(bundle, shape(bundle)),
        name=bundle.name,
        sha256=bundle.sha256,
        made=bundle.manifest["created"],
    )


def mixes(avatars: Avatars, settings: Settings) -> list[list[dict | None]]:
    """Cross the first people with each other: the coarse layers of the row's, the fine layers of the column's."""
    seeds = range(1, settings.mixed + 1)
    own = {seed: avatars.w(seed, settings.truncation) for seed in seeds}
    layers = fine_layers(avatars.num_ws)

    def cell(ws: Tensor, alt: str) -> dict:
        return {"picture": inline(avatars.picture(ws)), "alt": alt}

    rows = [[None, *(cell(own[seed], f"seed {seed}") for seed in seeds)]]
    for row in seeds:
        crossed = [cell(avatars.mix(own[row], own[column], layers=layers), f"{row} with {column}") for column in seeds]
        rows.append([cell(own[row], f"seed {row}"), *crossed])
    return rows


def fine_layers(num_ws: int) -> range:
    """Choose the layers that carry colour and texture: at 64 pixels all but the first four of ten."""
    return range(round(COARSE * num_ws), num_ws)


def layers_text(avatars: Avatars) -> str:
    return f"{fine_layers(avatars.num_ws)[0]}-{avatars.num_ws - 1}"


def commands(avatars: Avatars, settings: Settings) -> dict[str, str]:
    """Give the commands that make what the page shows: the wall, a mix, a slider sheet."""
    name, sigmas = avatars.bundle.name, settings.sigmas
    about = f"--bundle {name} --truncation {settings.truncation}"
    strip = f"--direction 0-{shown_directions(avatars, settings)[-1]} --sigmas {min(sigmas):g}..{max(sigmas):g}"
    return {
        "generate": f"dramatis generate {about} --seeds 1-{settings.avatars} --out {name}.png",
        "mix": f"dramatis mix 1 2 {about} --layers {layers_text(avatars)} --out {name}-mix.png",
        "edit": f"dramatis edit {about} --seed {SLIDER_SEED} {strip} --steps {len(sigmas)} --out {name}-sliders.png",
    }


def shown_directions(avatars: Avatars, settings: Settings) -> range:
    return range(min(settings.directions, avatars.directions))


def sliders(avatars: Avatars, settings: Settings) -> list[dict]:
    """Move one person along the first principal directions."""
    ws = avatars.w(SLIDER_SEED, settings.truncation)
    return [
        {"direction": direction, "pictures": list(map(inline, avatars.slider(ws, direction, settings.sigmas)))}
        for direction in shown_directions(avatars, settings)
    ]


def nearest_training(avatars: Avatars, metrics: Path, pack: Path, settings: Settings) -> list[dict]:
    """Put avatars beside the training pictures that the evaluation found nearest to them."""
    if not (metrics / "nearest.json").exists():
        return []
    near = json.loads((metrics / "nearest.json").read_text())
    truncation = json.loads((metrics / "avatars.json").read_text()).get("truncation")
    opened = packing.read_pack(pack)
    position = {sha256: number for number, sha256 in enumerate(opened.index["sha256"])}
    if not position.keys() >= {one["sha256"] for row in near.values() for one in row}:
        stale = f"{metrics / 'nearest.json'} speaks of pictures that are not in {pack}"
        raise UserError(f"{stale}: run python -m training.evaluate again")

    def training_picture(one: dict) -> dict:
        picture = media.flatten(Image.fromarray(opened.image(position[one["sha256"]])))
        return {"picture": inline(picture), "distance": f"{one['distance']:.3g}"}

    return [
        {
            "seed": seed,
            "picture": inline(next(of_class(avatars, int(seed)).generate([int(seed)], truncation))),
            "near": [training_picture(one) for one in near[seed]],
        }
        for seed in list(near)[: settings.nearest]
    ]


def of_class(avatars: Avatars, seed: int) -> Avatars:
    """Give the avatars of the class that the evaluation took for a seed: in turn, where there are any."""
    classes = avatars.config.classes
    return Avatars(avatars.bundle, label=seed % classes) if classes else avatars


def shape(bundle: Bundle) -> tuple[str, str]:
    network = bundle.manifest["network"]
    return "pictures", f"{network['width']}x{network['height']} pixels, weights in {bundle.manifest['precision']}"
