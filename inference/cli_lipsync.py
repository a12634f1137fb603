"""The command `dramatis lipsync`: one face and one sound, or folders of them."""

import contextlib
import hashlib
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inference import casting
from inference.errors import UserError
from inference.options import numeric
from inference.outputs import Output, output, part, spare
from inference.strangers import plain, shown_json

if TYPE_CHECKING:  # torch and OpenCV take seconds to import: help and mistakes come before
    from inference.bundle import Bundle
    from inference.lipsync import Take
    from inference.mouths import Drawer

MISTAKE = 2
VIDEOS = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".gif"}
FACES = VIDEOS | {".png", ".jpg", ".jpeg", ".webp"}
SOUNDS = VIDEOS | {".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff"}
MAX_CONSENT = 500
TELL_EVERY = 10.0  # s, where there is no terminal to draw a bar on
COMMENT = "Made with AI: the mouth was drawn by Dramatis"


@dataclass(frozen=True)
class Choices:
    """What was asked for, of every take alike."""

    who: str
    reference: str
    gate: bool
    backend: str
    precision: str
    compat: bool
    fps: int
    every: int
    cache: bool
    consent: dict[str, str] | None
    second: float | None


@dataclass(frozen=True)
class Job:
    """One face, one sound, and the name of what comes of them in a folder."""

    face: Path
    audio: Path
    name: str


def lipsync(
    face: Annotated[str, typer.Option("--face", "-f", help="A picture or a video of somebody; or a folder of them.")],
    audio: Annotated[str, typer.Option("--audio", "-a", help="A sound, or a video's; or a folder, matched by name.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The .mp4 to write, or a folder.")] = "talking.mp4",
    bundle: Annotated[str, typer.Option("--bundle", "-b", help="A lip-sync bundle's name or folder.")] = "lipsync",
    who: Annotated[
        str, typer.Option(help="Whose mouth: largest, leftmost, rightmost, middle, or a point on it like 640,360.")
    ] = "largest",
    reference: Annotated[
        str,
        typer.Option(help="What the generator is shown beside: rest (the mouth at rest) or same (the frame)."),
    ] = "rest",
    gate: Annotated[bool, typer.Option(help="Close the mouth where nobody speaks, whatever sounds.")] = True,
    preview: Annotated[bool, typer.Option("--preview", help="Make one frame, a .png in place of the .mp4.")] = False,
    second: Annotated[float | None, numeric("--second", help="Of the preview: during speech if left out.")] = None,
    consent: Annotated[
        str | None, typer.Option(help="Who agreed to this, as text or a file: it goes into the signed mark.")
    ] = None,
    backend: Annotated[str, typer.Option(help="What runs the network: torch or onnx.")] = "torch",
    precision: Annotated[str, typer.Option(help="exact, or fast: in half precision.")] = "exact",
    compat: Annotated[bool, typer.Option("--compat", help="Time the mouth as Wav2Lip's own inference does.")] = False,
    fps: Annotated[int, numeric("--fps", whole=(10, 60), help="Frames a second made of a still picture.")] = 25,
    every: Annotated[int, numeric("--every", whole=(1, 50), help="Look for faces in one of so many frames.")] = 5,
    cache: Annotated[bool, typer.Option(help="Keep and use the faces found in the user's cache.")] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Of a folder, leave out what is there already.")] = False,
    visible: Annotated[bool, typer.Option("--visible", help="Write a small AI into the corner, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Have a portrait or a video say a sound. Ask those whose face and voice they are.

    The video lasts as long as the sound: what is shorter goes back and forth. Frames without a face are left as they
    are. With folders, one that cannot be made is told and the others are; the exit code then is 2.

    \b
    dramatis lipsync --face portrait.png --audio speech.wav
    dramatis lipsync --face interview.mp4 --audio korean.m4a --who leftmost --preview
    dramatis lipsync --face faces/ --audio sounds/ --out dubbed/ --consent agreement.txt
    """
    jobs, lonely, folders = _jobs(face, audio)
    target = output(out, (".mp4",), folders, each=folders, visible=visible)
    if not target.is_folder and preview:
        target.path = target.path.with_suffix(".png")
    if second is not None and not preview:
        raise UserError(f"--second {second:g} goes with --preview")
    if resume and not folders:
        raise UserError("--resume goes with folders: there is one video to make")
    record = consent_of(consent)
    from inference import prepared

    prepared.check_rule(who)
    choices = Choices(who, reference, gate, backend, precision, compat, fps, every, cache, record, second)
    loaded, draw = _generator(bundle, choices)
    target.check_writable()
    told: list[dict] = []
    there = 0
    failed = [_failure(each, None, "there is no sound of its name") for each in lonely]
    for job in jobs:
        ending = ".png" if preview else ".mp4"
        path = target.path / f"{job.name}{ending}" if folders else target.path
        if resume and path.exists():
            there += 1
            continue
        try:
            spare(path, {"--face": job.face, "--audio": job.audio})
            told.append(_make(job, target, loaded, draw, choices, preview))
        except (UserError, OSError) as error:
            if not folders:
                raise
            why = getattr(error, "strerror", None) or str(error)
            failed.append(_failure(job.face, job.audio, why))
    if there:
        print(f"{there} of {len(jobs)} were there already and are left as they are", file=sys.stderr)
    _tell(loaded, told, failed, as_json)
    return MISTAKE if failed else 0


def _failure(face: Path, audio: Path | None, error: str) -> dict[str, str | None]:
    """Tell of one that cannot be made."""
    error = " ".join(error.split())
    print(f"error: {plain(error if str(face) in error else f'{face}: {error}')}", file=sys.stderr)
    return {"face": str(face), "audio": audio and str(audio), "error": error}


def _jobs(face: str, audio: str) -> tuple[list[Job], list[Path], bool]:
    """Pair faces and sounds; of two folders, by name. Also give the faces left over, and whether there were folders."""
    faces, sounds = _listed("--face", face, FACES), _listed("--audio", audio, SOUNDS)
    if not Path(face).is_dir() and not Path(audio).is_dir():
        return [Job(faces[0], sounds[0], faces[0].stem)], [], False
    lonely: list[Path] = []
    if not Path(face).is_dir():
        pairs = [(faces[0], sound, sound) for sound in sounds]
    elif not Path(audio).is_dir():
        pairs = [(each, sounds[0], each) for each in faces]
    else:
        by_name = {_name(sound): sound for sound in sounds}
        lonely = [each for each in faces if _name(each) not in by_name]
        pairs = [(each, by_name[_name(each)], each) for each in faces if _name(each) in by_name]
        if not pairs:
            raise UserError(
                f"--face {face} and --audio {audio}: no face there has a sound of its name, like a.png, a.wav"
            )
        used = {sound for _, sound, _ in pairs}
        if spare := [plain(sound.name) for sound in sounds if sound not in used]:
            some = f"{', '.join(spare[:5])}{', ...' if len(spare) > 5 else ''}"
            print(f"note: {len(spare)} of {len(sounds)} sounds are said by no face: {some}", file=sys.stderr)
    names = [named.stem for *_, named in pairs]
    unique = [
        name if names.count(name) == 1 else f"{name}-{named.suffix[1:]}"
        for name, (*_, named) in zip(names, pairs, strict=True)
    ]
    return [Job(each, sound, name) for (each, sound, _), name in zip(pairs, unique, strict=True)], lonely, True


def _listed(option: str, text: str, endings: set[str]) -> list[Path]:
    path = Path(text)
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{option} {text!r} is not there: give a file, or a folder of them")
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in endings and not file.name.startswith("."))
    if not found:
        raise UserError(f"{option} {text!r} holds no file that ends in {', '.join(sorted(endings))}")
    return found


def _name(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)


def consent_of(text: str | None) -> dict[str, str] | None:
    """Read who agreed: the text itself, or a file's hash and the beginning of what it says."""
    if text is None:
        return None
    if not text.strip():
        raise UserError("--consent '' must say who agreed, or name a file that does")
    path = Path(text)
    if len(text) < 1000 and path.is_file():
        data = path.read_bytes()
        says = plain(" ".join(data.decode("utf-8", "replace").split()))[:MAX_CONSENT] if path.suffix == ".txt" else ""
        return {"file_sha256": hashlib.sha256(data).hexdigest()} | ({"statement": says} if says else {})
    return {"statement": plain(text)[:MAX_CONSENT]}


def _generator(name: str, choices: Choices) -> tuple["Bundle", "Drawer"]:
    from inference import bundle as bundles

    loaded = bundles.load(name)
    casting.greet(loaded, name)
    from inference import mouths

    return loaded, mouths.drawer(loaded, choices.backend, choices.precision)


def _make(
    job: Job, target: Output, bundle: "Bundle", draw: "Drawer", choices: Choices, preview: bool
) -> dict[str, Any]:
    """Make one video or preview, and tell about it."""
    from inference.media import MediaError

    try:
        return _speak(job, target, bundle, draw, choices, preview)
    except MediaError as error:  # of what was found to be sound when it was opened
        raise UserError(f"--face {job.face}, --audio {job.audio}: {error} ({error.reason})") from None


def _speak(
    job: Job, target: Output, bundle: "Bundle", draw: "Drawer", choices: Choices, preview: bool
) -> dict[str, Any]:
    from inference import footage, lipsync, prepared, voice

    started = time.monotonic()
    seen = footage.load(job.face, choices.fps)
    said = voice.hear(job.audio, choices.gate)
    wanted = said.frames(seen.fps)
    found = prepared.prepare(
        seen,
        wanted,
        choices.who,
        choices.every,
        choices.cache,
        lambda frames: watched(frames, min(prepared.looked_at(wanted), seen.count), "looking for the face"),
    )
    hearing = lipsync.Hearing.of(bundle.manifest, choices.compat)
    take = lipsync.Take(seen, found, said, draw, hearing, choices.reference)
    recipe = _recipe(job, bundle, choices, take)
    if preview:
        _save_preview(target, job, take, choices.second, recipe)
    else:
        _save_video(target, job, take, recipe)
    notes = [note for note in (*seen.notes, said.note) if note]
    return target.written[-1] | {
        "frames": 1 if preview else take.frames,
        "fps": float(seen.fps),
        "width": seen.width if preview else seen.width & ~1,  # of a video an odd side loses its last pixels
        "height": seen.height if preview else seen.height & ~1,
        "faces": found.most,
        "without_face": lipsync.ranges(take.missed),
        "notes": notes,
        "seconds": round(time.monotonic() - started, 2),
    }


def _save_video(target: Output, job: Job, take: "Take", recipe: dict[str, Any]) -> None:
    """Encode beside the target, then sign."""
    from inference import mark
    from inference.soundtrack import Soundtrack
    from inference.video import Writer

    size = take.footage.width, take.footage.height
    with part(target.film(job.name)) as made, contextlib.closing(Soundtrack(job.audio)) as sound:
        with Writer(made, *size, take.footage.fps, sound, COMMENT) as writer:
            for picture in watched(take.pictures(), take.frames, "speaking"):
                writer.write(mark.label(picture) if target.visible else picture)
        passed = {"frames_without_face": len(take.missed)}
        target.save_film(made, recipe | passed, job.name, composite=True)


def _save_preview(target: Output, job: Job, take: "Take", second: float | None, recipe: dict[str, Any]) -> None:
    last = take.frames - 1
    number = take.voice.loudest(take.footage.fps) if second is None else int(second * take.footage.fps)
    if not 0 <= number <= last:
        raise UserError(
            f"--second {second:g} must be from 0 to {float(last / take.footage.fps):.2f}: the sound ends there"
        )
    picture = next(take.pictures(number, 1))
    target.save(picture, recipe | {"frame": number}, job.name, composite=True)


def _recipe(job: Job, bundle: "Bundle", choices: Choices, take: "Take") -> dict[str, Any]:
    return casting.recipe_of("lipsync", bundle) | {
        "face": {"sha256": _sha256(job.face), "still": take.footage.still is not None},
        "audio": {"sha256": _sha256(job.audio)},
        "frames": take.frames,
        "fps": str(take.footage.fps),
        "who": choices.who,
        "reference": choices.reference,
        "gate": choices.gate,
        "backend": choices.backend,
        "precision": choices.precision,
        "compat": choices.compat,
        "consent": choices.consent,
    }


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def watched(items: Iterable, total: int, label: str, tell: Callable[[str], None] | None = None) -> Iterator:
    """Show how far it is and how long it takes yet: a bar on a terminal, a line now and then elsewhere."""
    if tell is None and sys.stderr.isatty():
        with typer.progressbar(items, length=total, label=label, file=sys.stderr) as bar:
            yield from bar
        return
    tell = tell or (lambda line: print(line, file=sys.stderr, flush=True))
    started = told = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - told >= TELL_EVERY:
            told, rate = now, done / (now - started)
            left = round(max(0, total - done) / rate)
            tell(f"{label}: {done} of {total} frames, {rate:.1f} a second, {left // 60}:{left % 60:02} left")


def _tell(bundle: "Bundle", told: list[dict], failed: list[dict], as_json: bool) -> None:
    if as_json:
        print(shown_json({"bundle": casting.named(bundle), "files": told, "failed": failed}))
        return
    toy = casting.toy(bundle)
    for file in told:
        for note in file["notes"]:
            print(f"note: {plain(note)}", file=sys.stderr)
        consent = "consent on record" if file["recipe"]["consent"] else "no consent on record (--consent)"
        print(
            f"{plain(file['path'])}: {file['frames']} frames of {file['width']}x{file['height']} at {file['fps']:g} a "
            f"second by {bundle.name}{toy}{_passed(file)}, marked as made by AI, {consent}"
        )
    if failed:
        print(f"{len(told)} made, {len(failed)} not: see the errors above", file=sys.stderr)


def _passed(file: dict) -> str:
    found = file["without_face"]
    if not found:
        return ""
    count = sum(last - first + 1 for first, last in found)
    where = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found[:8])
    return f"; {count} without a face were left as they are ({where}{', ...' if len(found) > 8 else ''})"
