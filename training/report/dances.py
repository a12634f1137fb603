"""The part of the page about dancing: the dances and their songs, how well they are danced, how it was learned."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from inference import bundle as bundles
from inference.bundle import Bundle
from inference.dancefloor import skeleton
from inference.motion.clip import FPS
from preprocessing import dancepacks
from preprocessing.dancepacks import SPLITS, Dance, Dances
from training.report import films, scored
from training.report.card import card
from training.report.changes import Change
from training.report.films import Filmed
from training.report.learned import Learning, learned
from training.report.pictures import inline, spread
from training.report.scored import CORPUS
from training.report.settings import Settings
from training.report.tables import Table, at, known, value
from training.report.trained import duration

POSES = 8  # of a strip
LOSSES = {"training": "loss", "held out": "held_out_loss", "held out, another song's music": "held_out_other_song"}
CHARTS = {
    "dance": {
        "Loss": LOSSES,
        "Error of the joints, cm": {"held out": "held_out_cm"},
        "What the loss is made of": {"vectors": "vectors", "velocity": "velocity", "joints": "joints", "feet": "feet"},
    },
    "dance_gan": {
        "Loss": LOSSES,
        "What the loss is made of": {"vectors": "vectors", "velocity": "velocity", "feet": "feet"},
        "Adversaries": {"adversarial": "adversarial", "discriminator": "discriminator"},
    },
}
TITLES = {"dance": "The network that dances", "dance_gan": "The baseline: a GAN that dances"}


@dataclass(frozen=True)
class Strip:
    """Moments of a true dance."""

    said: str
    picture: str


@dataclass(frozen=True)
class Pack:
    """What the page says about the dances that were prepared."""

    headline: list[tuple[str, str]]
    parts: str
    genres: list[dict]
    licences: list[dict]
    rejects: list[dict]
    strips: list[Strip]
    source: str
    command: str


@dataclass(frozen=True)
class Exported:
    """The bundle: what it says of itself, and its own preview."""

    name: str
    card: list[tuple[str, str]]
    preview: str


@dataclass(frozen=True)
class Dancing:
    """What the page says about the dances; what has not been made is None or empty."""

    pack: Pack | None
    films: list[Filmed]
    tables: list[tuple[str, str, Table]]
    hears: str
    better: Table | None
    about: list[str]
    why_not: str
    learned: list[Learning]
    exported: Exported | None
    digest: dict[str, float | None]
    changes: list[Change] | None = None


def dancing(data: Path, options: str, settings: Settings) -> Dancing | None:
    """Gather what was made of the dances, or None where nothing was."""
    folder, metrics = data / "processed" / CORPUS, data / "metrics" / CORPUS / "dance.json"
    exported = data / "exported" / "dance"
    dances = dancepacks.read(folder) if (folder / "pack.json").exists() else None
    bundle = bundles.load(exported).require("dance") if (exported / bundles.MANIFEST).exists() else None
    figures = json.loads(metrics.read_text()) if metrics.exists() else None
    runs = (learned(data / "runs" / run, TITLES[run], CHARTS[run], own, settings) for run in CHARTS)
    learning = [one for one in runs if one]
    if not (dances or bundle or figures or learning):
        return None
    return Dancing(
        pack=pack(folder, dances, options, settings) if dances else None,
        films=films.filmed(bundle, dances, data / "raw" / CORPUS, settings.films) if bundle and dances else [],
        tables=scored.tables(figures, metrics, options) if figures else [],
        hears=scored.hears(figures) if figures else "",
        better=scored.better(figures, metrics, options) if figures else None,
        about=scored.about(figures) if figures else [],
        why_not=figures["why"] if figures and not figures["measured"] else "",
        learned=learning,
        exported=shown(bundle) if bundle else None,
        digest=digest(figures),
    )


def pack(folder: Path, dances: Dances, options: str, settings: Settings) -> Pack:
    rejects = dancepacks.rejects(folder)
    return Pack(
        headline=headline(dances, len(rejects)),
        parts=parts(dances),
        genres=genres(dances, settings.sources),
        licences=licences(dances),
        rejects=[
            {"reason": reason, "count": count, "example": next(each for each in rejects if each.reason == reason)}
            for reason, count in Counter(reject.reason for reject in rejects).most_common()
        ],
        strips=[strip(dances, dance, settings) for dance in danced(dances, settings.dances)],
        source=str(folder),
        command=f"python -m preprocessing.dances corpus={CORPUS} {options}".strip(),
    )


def headline(dances: Dances, rejected: int) -> list[tuple[str, str]]:
    """Choose the figures that a reader looks for first: (label, value)."""
    dancers = {dance.dancer for dance in dances.dances} - {None}
    return [
        ("dances", f"{len(dances.dances)}"),
        ("songs", f"{len(dances.songs)}"),
        ("of dance", duration(sum(dance.seconds for dance in dances.dances))),
        ("genres", f"{len(dances.genres)}"),
        ("dancers", f"{len(dancers)}" if dancers else "unknown"),
        ("left out", f"{rejected}"),
    ]


def parts(dances: Dances) -> str:
    """Say how the songs are parted."""
    names = {"train": "to train on", "val": "to validate", "test": "to test"}
    counted = []
    for split in SPLITS:
        found = dances.of(split)
        songs = len({dance.song for dance in found})
        counted.append(f"{len(found)} {names[split]} (N {songs} songs)")
    return f"Of the dances {', '.join(counted)}. No song of one part is in another."


def genres(dances: Dances, most: int) -> list[dict]:
    """Count dances by genre and part, with the tempi of their songs; beyond `most` genres they are one row."""
    named = Counter(dance.genre or "not stated" for dance in dances.dances).most_common()
    told = {name: name for name, _ in named[:most]}
    rest = f"and {len(named) - most} more"
    groups: dict[str, list[Dance]] = {}
    for dance in sorted(dances.dances, key=lambda dance: dance.genre or "~"):
        groups.setdefault(told.get(dance.genre or "not stated", rest), []).append(dance)
    tempi = {song.song: song.tempo for song in dances.songs}
    return [row(name, of, tempi) for name, of in sorted(groups.items(), key=lambda group: group[0] == rest)]


def row(genre: str, dances: list[Dance], tempi: dict[str, float | None]) -> dict:
    songs = {dance.song for dance in dances}
    heard = sorted(tempi[song] for song in songs if tempi[song])
    ends = sorted({f"{tempo:.0f}" for tempo in (heard[:1] + heard[-1:])}, key=float)
    return {
        "genre": genre,
        "dances": len(dances),
        "songs": len(songs),
        "long": duration(sum(dance.seconds for dance in dances)),
        "tempo": " to ".join(ends) or "unknown",
        "parts": [sum(dance.split == split for dance in dances) for split in SPLITS],
    }


def licences(dances: Dances) -> list[dict]:
    """Count dances by licence and consent, the most frequent first."""
    counted = Counter((dance.licence or "not stated", dance.consent or "not stated") for dance in dances.dances)
    return [{"licence": key[0], "consent": key[1], "dances": count} for key, count in counted.most_common()]


def danced(dances: Dances, count: int) -> list[Dance]:
    """Choose the first dance of each genre, of so many genres evenly spread; where none is stated, of each song."""
    first: dict[str, Dance] = {}
    for dance in dances.dances:
        first.setdefault(dance.genre or dance.song, dance)
    return spread([first[name] for name in sorted(first)], count)


def strip(dances: Dances, dance: Dance, settings: Settings) -> Strip:
    """Draw the beginning of a true dance as a row of poses."""
    frames = min(dance.frames, round(settings.films.seconds * FPS))
    picture = skeleton.strip(dances.motion(dance, 0, frames).positions(), POSES)
    return Strip(f"{said(dances, dance)}, {frames / FPS:.0f} s", inline(picture))


def said(dances: Dances, dance: Dance) -> str:
    """Say of a dance what it is to what."""
    tempo = dances.song(dance).tempo
    return f"{dance.genre or 'a dance'} to {dance.song}" + (f" ({tempo:.0f} beats a minute)" if tempo else "")


def own(about: dict) -> list[tuple[str, str]]:
    """Tell what is a dancer's own in what its run says: (label, value)."""
    data, network = about["data"], about["network"]
    shape = ", ".join(f"{name} {number}" for name, number in network.items())
    trained = f"{data['train']} to {data['train_songs']} songs trained on"
    return [("dances", f"{trained}, {data['val']} to {data['val_songs']} to validate"), ("network", shape)]


def shown(bundle: Bundle) -> Exported:
    """Show a bundle by its card and the preview that it carries."""
    manifest = bundle.manifest
    parity = manifest.get("parity")
    runs = f"weights in {manifest['precision']}"
    if parity:
        runs += f"; ONNX within {parity['max_mm']:g} mm of torch over {parity['frames'] / FPS:g} s to {parity['on']}"
    preview = ""
    if (bundle.folder / "preview.png").exists():
        with Image.open(bundle.folder / "preview.png") as picture:
            preview = inline(picture.convert("RGB"))
    return Exported(bundle.name, card(bundle, ("runs", runs)), preview)


def digest(figures: dict | None) -> dict[str, float | None]:
    """Pick the figures by which two runs are compared."""
    ours = next((row for row in (figures or {"rows": []})["rows"] if row["name"] == scored.OURS), {})
    found = {name: at(ours, path) for name, path in scored.DIGEST.items()}
    return {name: value(figure) if known(figure) else None for name, figure in found.items()}
