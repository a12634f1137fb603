"""The command `dramatis dance`: a song in, a dance out, as a video and for other programs."""

import contextlib
import hashlib
import importlib.util
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inference import casting
from inference.cli_lipsync import TELL_EVERY, watched
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import Output, output, part, spare
from inference.strangers import plain, shown_json

if TYPE_CHECKING:  # torch and OpenCV take seconds to import: help and mistakes come before
    from inference.bundle import Bundle
    from inference.motion.clip import Motion
    from inference.music import Features

RENDERS = ("skeleton", "openpose", "figure", "none")
BACKENDS = ("torch", "onnx")
MOTIONS = (".bvh", ".glb", ".npz")
MOST_DANCERS = 8
MOST_SECONDS = 3600.0
SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")
LEAST_SIDE, MOST_SIDE = 64, 2160
AHEAD = 4  # frames drawn while one is encoded
COMMENT = "Made with AI: the dance was made by Dramatis"


@dataclass(frozen=True)
class Choices:
    """What was asked for."""

    song: Path
    seeds: list[int]
    genre: str | None
    seconds: float | None
    bpm: float | None
    bpm_lock: bool
    steps: int
    guidance: float
    foot_lock: bool
    render: str
    size: tuple[int, int] | None
    backend: str
    kinds: tuple[str, ...]  # of files for other programs


def dance(
    song: Annotated[str, typer.Argument(metavar="SONG", help="A sound file, or a video's sound.")],
    out: Annotated[
        str, typer.Option("--out", "-o", help="The .mp4 to write; with --render none a .bvh, .glb or .npz, too.")
    ] = "dance.mp4",
    bundle: Annotated[str, typer.Option("--bundle", "-b", help="A dance bundle's name or folder.")] = "dance",
    seed: Annotated[int, numeric("--seed", "-s", whole=(0, 999_999_999), help="Which of all its dances.")] = 1,
    dancers: Annotated[
        int, numeric("--dancers", whole=(1, MOST_DANCERS), help="How many side by side, of seeds one after the other.")
    ] = 1,
    genre: Annotated[str | None, typer.Option(help="How: a genre that the bundle knows; as the song asks.")] = None,
    seconds: Annotated[float | None, numeric("--seconds", help="How much of the song: all of it if left out.")] = None,
    bpm: Annotated[float | None, numeric("--bpm", help="The song's tempo, where it is known.")] = None,
    bpm_lock: Annotated[bool, typer.Option("--bpm-lock", help="Hold one steady tempo for the whole song.")] = False,
    render: Annotated[
        str, typer.Option(help="What is drawn: skeleton, openpose (for image generators), figure, or none.")
    ] = "figure",
    size: Annotated[str | None, typer.Option("--size", metavar="WxH", help="Pixels: 720x720 of one dancer.")] = None,
    bvh: Annotated[bool, typer.Option("--bvh", help="Write the motion as .bvh beside it.")] = False,
    gltf: Annotated[bool, typer.Option("--gltf", help="Write the motion as .glb beside it, for Blender.")] = False,
    npz: Annotated[bool, typer.Option("--npz", help="Write the motion as .npz beside it.")] = False,
    foot_lock: Annotated[bool, typer.Option(help="Keep standing feet in their place, and on the floor.")] = True,
    steps: Annotated[int, numeric("--steps", whole=(1, 1000), help="Steps from noise to motion.")] = 10,
    guidance: Annotated[float, numeric("--guidance", help="How much the song counts: 1 as learned.")] = 2.0,
    backend: Annotated[str, typer.Option(help="What runs the network: torch or onnx.")] = "torch",
    visible: Annotated[bool, typer.Option("--visible", help="Write a small AI into the corner, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Dance to a song.

    \b
    dramatis dance song.mp3
    dramatis dance song.mp3 --seed 7 --seconds 30 --render skeleton --out sticks.mp4
    dramatis dance song.mp3 --dancers 3 --out three.mp4
    dramatis dance song.mp3 --bvh --gltf                      files for Blender, too
    dramatis dance song.mp3 --render none --out dance.bvh     no video
    """
    target = output(out, (".mp4",) if render != "none" else (".mp4", *MOTIONS), visible=visible)
    kinds = tuple(
        ending[1:]
        for ending, asked in zip(MOTIONS, (bvh, gltf, npz), strict=True)
        if asked or target.path.suffix.lower() == ending
    )
    choices = Choices(
        song=Path(song),
        seeds=list(range(seed, seed + dancers)),
        genre=genre,
        seconds=seconds,
        bpm=bpm,
        bpm_lock=bpm_lock,
        steps=steps,
        guidance=guidance,
        foot_lock=foot_lock,
        render=render,
        size=_size(size),
        backend=backend,
        kinds=kinds,
    )
    _check(choices, target)
    from inference import bundle as bundles

    loaded = bundles.load(bundle).require("dance")
    number = _genre(loaded, genre)
    casting.greet(loaded, bundle)
    target.check_writable()
    told = _make(choices, target, loaded, number)
    _tell(loaded, choices, target, told, as_json)


def _check(choices: Choices, target: Output) -> None:
    if not choices.song.is_file():
        raise UserError(
            f"{str(choices.song)!r} is {'no file' if choices.song.exists() else 'not there'}: give a sound file"
        )
    spare(target.path, {"the song": choices.song})
    if choices.render not in RENDERS:
        raise UserError(f"--render {choices.render!r} must be {', '.join(RENDERS[:-1])} or {RENDERS[-1]}")
    if choices.backend not in BACKENDS:
        raise UserError(f"--backend {choices.backend!r} must be {' or '.join(BACKENDS)}")
    if choices.render == "figure" and any(importlib.util.find_spec(name) is None for name in ("anny", "warp")):
        raise UserError(
            "--render figure draws a body that is not installed: `pip install 'dramatis[figure]'`, or --render skeleton"
        )
    if choices.render == "none" and not choices.kinds:
        raise UserError("--render none makes no video: ask for --bvh, --gltf or --npz")
    for option, asked in (("--size", choices.size), ("--visible", target.visible)):
        if choices.render == "none" and asked:
            raise UserError(f"{option} goes with a video, and --render none makes none")
    if choices.seconds is not None and not 0 < choices.seconds <= MOST_SECONDS:
        raise UserError(f"--seconds {choices.seconds:g} must be above 0, {MOST_SECONDS:g} at most")
    if choices.bpm is not None and not 30 <= choices.bpm <= 300:
        raise UserError(f"--bpm {choices.bpm:g} must be from 30 to 300")
    if not 0 <= choices.guidance <= 20:
        raise UserError(f"--guidance {choices.guidance:g} must be from 0 to 20")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = SIZE.fullmatch(text)
    if not found or not all(LEAST_SIDE <= int(side) <= MOST_SIDE for side in found.groups()):
        raise UserError(f"--size {text[:40]!r} must be like 1280x720, each side from {LEAST_SIDE} to {MOST_SIDE}")
    return int(found[1]), int(found[2])


def _genre(bundle: "Bundle", name: str | None) -> int:
    """Give a genre's number in the network; 0 where none is asked for."""
    known = bundle.manifest["genres"]
    if name is not None and name not in known:
        which = f"one of {', '.join(known)}" if known else "left out: it was trained without genres"
        raise UserError(f"--genre {name[:60]!r} is unknown to bundle {bundle.name}, it must be {which}")
    return 0 if name is None else known.index(name) + 1


def _make(choices: Choices, target: Output, bundle: "Bundle", genre: int) -> dict[str, Any]:
    """Hear, dance, write; gives what there is to tell."""
    started = time.monotonic()
    heard = _hear(choices)
    listened = time.monotonic()
    motions = _motions(choices, bundle, heard, genre)
    danced = time.monotonic()
    recipe = _recipe(choices, bundle, heard, len(motions[0]))
    files = _files(choices, target, motions)
    if choices.render != "none":
        _save(choices, target, motions, recipe)
    took = {"hearing": listened - started, "dancing": danced - listened, "drawing": time.monotonic() - danced}
    return {
        "frames": len(motions[0]),
        "fps": motions[0].fps,
        "dancers": len(motions),
        "tempo": None if heard.tempo != heard.tempo else round(heard.tempo, 2),
        "beats": len(heard.beats),
        "motions": files,
        "recipe": recipe,
        "notes": [heard.note] if heard.note else [],
        "seconds": {name: round(value, 2) for name, value in took.items()},
    }


def _hear(choices: Choices) -> "Features":
    """Hear the whole song, then leave out what is not danced to: a beat is found better in all of it."""
    from dataclasses import replace

    from inference import music
    from inference.dancefloor import tempo
    from inference.media import MediaError

    try:
        heard = music.features(choices.song, start_bpm=choices.bpm)
    except MediaError as error:
        raise UserError(f"{choices.song} cannot be danced to ({error.reason}: {error}): give another sound") from None
    if choices.bpm_lock:
        heard = tempo.locked(heard)
    if choices.seconds is None or choices.seconds >= heard.seconds:
        return heard
    frames = max(1, round(choices.seconds * heard.fps))
    beats = heard.beats[heard.beats < choices.seconds]
    return replace(heard, array=heard.array[:frames], beats=beats, seconds=choices.seconds)


def _motions(choices: Choices, bundle: "Bundle", heard: "Features", genre: int) -> list["Motion"]:
    from inference import dancing
    from inference.motion import feet

    network = _network(bundle, choices.backend)
    how = {"steps": choices.steps, "guidance": choices.guidance, "genre": genre}
    made = []
    for number, seed in enumerate(choices.seeds):
        told = _progress(number, len(choices.seeds))
        motion = dancing.sample(network, heard.array, seed, **how, progress=told)
        made.append(feet.lock(motion) if choices.foot_lock else motion)
    return made


def _progress(number: int, dancers: int) -> Callable[[int, int], None]:
    """Say now and then how far the dance is that is made, where that takes long."""
    who = f" {number + 1} of {dancers}" if dancers > 1 else ""
    last = time.monotonic()

    def tell(done: int, steps: int) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY and done < steps:
            last = time.monotonic()
            print(f"dancing{who}: step {done} of {steps}", file=sys.stderr, flush=True)

    return tell


def _network(bundle: "Bundle", backend: str) -> Any:
    """Open what dances: torch's network, or the bundle's graph."""
    if backend == "torch":
        return bundle.network()
    from inference.dancing import OfGraph
    from inference.graph import Graph

    units = bundle.manifest["motion"]
    return OfGraph(Graph(bundle), bundle.config, units["mean"], units["std"])


def _files(choices: Choices, target: Output, motions: list["Motion"]) -> list[str]:
    """Write motions for other programs, beside the video and under its name; numbered where there are several."""
    from inference.motion import bvh, gltf

    writers = {"bvh": bvh.write, "glb": gltf.write, "npz": lambda motion, path: motion.save(path)}
    written = []
    for kind in choices.kinds:
        for number, motion in enumerate(motions, 1):
            stem = target.path.stem + (f"-{number}" if len(motions) > 1 else "")
            path = target.path.with_name(f"{stem}.{kind}")
            with part(path) as made:
                writers[kind](motion, made)
                made.replace(path)
            written.append(str(path))
    return written


def _save(choices: Choices, target: Output, motions: list["Motion"], recipe: dict[str, Any]) -> None:
    """Draw and encode beside the target, then sign."""
    from inference import mark
    from inference.ahead import ahead
    from inference.dancefloor import video as films
    from inference.soundtrack import Soundtrack
    from inference.video import Writer

    width, height = choices.size or (films.ALONE if len(motions) == 1 else films.TOGETHER)
    film = films.Film(motions, choices.render, width, height, choices.seeds)
    with part(target.path) as made, contextlib.closing(Soundtrack(choices.song)) as sound:
        excerpt = films.Excerpt(sound, film.seconds)
        with Writer(made, film.width, film.height, film.fps, excerpt, COMMENT) as writer:
            for picture in watched(ahead(film.pictures(), AHEAD), film.frames, "drawing"):
                writer.write(mark.label(picture) if target.visible else picture)
        target.save_film(made, recipe)


def _recipe(choices: Choices, bundle: "Bundle", heard: "Features", frames: int) -> dict[str, Any]:
    with open(choices.song, "rb") as stream:
        song = hashlib.file_digest(stream, "sha256").hexdigest()
    return casting.recipe_of("dance", bundle) | {
        "song": {"sha256": song},
        "seeds": choices.seeds,
        "genre": choices.genre,
        "frames": frames,
        "bpm": choices.bpm,
        "bpm_lock": choices.bpm_lock,
        "steps": choices.steps,
        "guidance": choices.guidance,
        "foot_lock": choices.foot_lock,
        "render": choices.render,
        "backend": choices.backend,
    }


def _tell(bundle: "Bundle", choices: Choices, target: Output, told: dict[str, Any], as_json: bool) -> None:
    films = [{key: file[key] for key in ("path", "sha256")} for file in target.written]
    if as_json:
        print(shown_json({"bundle": casting.named(bundle), "files": films, **told}))
        return
    for note in told["notes"]:
        print(f"note: {plain(note)}", file=sys.stderr)
    toy = casting.toy(bundle)
    beat = f" at {told['tempo']:g} beats a minute" if told["tempo"] else ""
    length = f"{told['frames'] / told['fps']:.1f} s of dance{beat}"
    who = f"{told['dancers']} dancers, " if told["dancers"] > 1 else ""
    if films:
        print(f"{plain(films[0]['path'])}: {who}{length} by {bundle.name}{toy}, marked as made by AI")
    for path in told["motions"]:
        print(f"{plain(path)}: {length} by {bundle.name}{toy}")
