"""The demo dances in AIST++'s layout: which songs and dances there are, how they are split, and the truth about them.

Splits follow AIST++'s rule: the songs that it holds out train nothing, to a song for testing only choreography 2 is
danced and to one for validating only choreography 1, so no song is in two lists.
"""

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from inference.motion.skeleton import SMPL_PELVIS
from scraping import stage
from scraping.demo.dances import moves, songs
from scraping.demo.dances.genres import GENRES

SPLITS = ("train", "val", "test")
FEWEST, MOST = 3, 60  # songs: one for each split; as many as AIST++'s names have room for
MOST_DANCES = 24  # of a song: three dancers, eight choreographies each
MARGIN = 3.0  # seconds at least that a song goes on after the dances to it
FREESTYLE_EVERY = 6  # one dance in so many is named advanced, as about one of AIST++'s is
BEAT_TOLERANCE = 0.01  # seconds within which a hit is on its beat
CONSENT = {
    "licence": "CC0-1.0",
    "consent": "nobody is shown or heard: motion and music made by code",
    "commercial": True,
    "source": "Dramatis demo world",
}
NOTICE = """The demo dances of Dramatis: motion and music made by code, CC0-1.0. Nobody is shown or heard.

They lie in the layout of AIST++ and under names of its grammar, but nothing in them is from AIST++ or from AIST Dance
DB. The letters of a genre name the repertoire that the draw is from: it is a caricature, not a recording of a style.
"""


@dataclass(frozen=True)
class Song:
    """One song to make, with the dances to it."""

    genre: str
    number: int
    split: str
    seed: int
    dances: tuple[str, ...]  # names of sequences

    @property
    def name(self) -> str:
        return f"m{self.genre}{self.number}"


@dataclass(frozen=True)
class Job:
    """A song to make into a folder, its dances so many seconds long."""

    song: Song
    seconds: float
    folder: Path


def plan(first_seed: int, count: int, dances: int) -> list[Song]:
    """List the songs: a fifth is for testing and a tenth for validating, one each at least, the others train."""
    rng = np.random.Generator(np.random.PCG64([first_seed, 500]))
    genres = [str(genre) for genre in rng.permutation(list(GENRES))]
    test, val = min(6, max(1, round(0.2 * count))), min(4, max(1, round(0.1 * count)))
    open_numbers = {
        genre: [int(n) for n in rng.permutation(6) if n != GENRES[genre].held_out] for genre in sorted(GENRES)
    }
    chosen = [(genre, GENRES[genre].held_out, "test") for genre in genres[:test]]
    chosen += [(genre, GENRES[genre].held_out, "val") for genre in genres[test : test + val]]
    for index in range(count - test - val):
        genre = genres[index % len(genres)]
        chosen.append((genre, open_numbers[genre].pop(), "train"))
    return [
        Song(genre, number, split, first_seed + index, _names(genre, number, split, dances))
        for index, (genre, number, split) in enumerate(chosen)
    ]


def _names(genre: str, number: int, split: str, dances: int) -> tuple[str, ...]:
    """Name the dances to a song; three dancers share what is held out, so there are three at most."""
    dancers = GENRES[genre].dancers
    if split != "train":
        choreography = {"val": 1, "test": 2}[split]
        return tuple(_name(genre, number, "BM", dancer, choreography) for dancer in dancers[:dances])
    names = []
    for index in range(dances):
        situation = "FM" if index % FREESTYLE_EVERY == FREESTYLE_EVERY - 1 else "BM"
        names.append(_name(genre, number, situation, dancers[index % 3], 3 + index // 3))
    return tuple(names)


def _name(genre: str, number: int, situation: str, dancer: int, choreography: int) -> str:
    return f"g{genre}_s{situation}_cAll_d{dancer:02d}_m{genre}{number}_ch{choreography:02d}"


def maker() -> Callable[[Job], str]:
    """Give what makes a song and its dances."""
    torch.set_num_threads(1)
    return make


def make(job: Job) -> str:
    """Make a song and the dances to it; all are on disk before the song's row of truth is."""
    song = job.song
    score = songs.score(song.genre, song.number, song.seed, job.seconds + MARGIN)
    sound = songs.as_wav(songs.play(score))
    stage.write_atomically(job.folder / "music" / f"{song.name}.wav", sound)
    rows = {}
    for index, name in enumerate(song.dances):
        seed = 100 * song.seed + index
        dance = moves.dance(score, seed, job.seconds)
        stage.write_atomically(job.folder / "motions" / f"{name}.pkl", pickled(dance, seed))
        rows[name] = {"song": song.name, "split": song.split, **_told(dance, score, job.seconds)}
    known = {
        "seconds": round(score.seconds, 4),
        "bpm": score.bpm,
        "metre": score.metre,
        "beats": [round(beat, 6) for beat in score.beats],
        "levels": [phrase.level for phrase in score.phrases],
        "sha256": hashlib.sha256(sound).hexdigest(),
    }
    row = json.dumps({"song": known, "dances": rows}).encode()
    stage.write_atomically(job.folder / "rows" / f"{song.name}.json", row)
    return song.name


def _told(dance: moves.Dance, score: songs.Score, seconds: float) -> dict:
    """Tell when something in a dance arrives, and which of the beats until its end that answers."""
    hits = np.array(dance.hits)
    beats = [beat for beat in score.beats if beat < seconds]
    on = [bool((np.abs(hits - beat) < BEAT_TOLERANCE).any()) for beat in beats]
    return {"seconds": seconds, "hits": list(dance.hits), "beats": len(beats), "beats_hit": sum(on)}


def pickled(dance: moves.Dance, seed: int) -> bytes:
    """Write a dance as AIST++ does: the body's own scale is in its translation, which is not the pelvis's."""
    rng = np.random.Generator(np.random.PCG64([seed, 504]))
    scale = np.float32(rng.uniform(86, 98))
    held = {
        "smpl_loss": 0.0,
        "smpl_poses": np.ascontiguousarray(dance.poses.reshape(len(dance.poses), -1), np.float32),
        "smpl_scaling": np.array([scale], np.float32),
        "smpl_trans": ((dance.root - SMPL_PELVIS) * scale).astype(np.float32),
    }
    return pickle.dumps(held, protocol=4)


def finish(folder: Path, planned: Sequence[Song], out: Path) -> None:
    """Lay finished songs and dances out in `out/raw` and `out/truth`."""
    raw = out / "raw"
    truth: dict[str, dict] = {"songs": {}, "dances": {}}
    for song in planned:
        row = json.loads((folder / "rows" / f"{song.name}.json").read_text())
        truth["songs"][song.name] = row["song"]
        truth["dances"] |= row["dances"]
        files = [f"music/{song.name}.wav", *(f"motions/{name}.pkl" for name in song.dances)]
        for name in files:
            stage.write_atomically(raw / name, (folder / name).read_bytes())
    for split in SPLITS:
        names = [name for song in planned if song.split == split for name in song.dances]
        stage.write_atomically(raw / "splits" / f"crossmodal_{split}.txt", "".join(f"{n}\n" for n in names).encode())
    stage.write_atomically(raw / "ignore_list.txt", b"")
    stage.write_atomically(raw / "consent.json", json.dumps(CONSENT, indent=1).encode())
    stage.write_atomically(raw / "NOTICE", NOTICE.encode())
    stage.write_atomically(out / "truth" / "truth.json", json.dumps(truth).encode())
