"""Short films for the page: what the exported network dances to held-out songs, beside what was danced to them."""

import base64
import tempfile
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference import dancing
from inference.bundle import Bundle
from inference.dancefloor.video import Excerpt, Film
from inference.motion import feet
from inference.motion.clip import FPS, Motion
from inference.soundtrack import Soundtrack
from inference.video import Writer
from preprocessing.dancepacks import Dance, Dances
from training.dance.exhibits import held_out
from training.report import curves
from training.report.settings import Films

SEED = 1
WIDTH, HEIGHT = 512, 288  # pixels
CODED = {"crf": "28", "preset": "veryfast"}


@dataclass(frozen=True)
class Filmed:
    """A film, left as the network dances and right as was danced, and how fast both move over the song's beats."""

    genre: str
    song: str
    tempo: float | None
    video: str  # data URI
    heard: bool  # its song is in it
    frames: int
    beats: list[float]  # frames
    speeds: list[tuple[str, str]]  # label, SVG path: at y 1 it stands


def filmed(bundle: Bundle, dances: Dances, raw: Path, settings: Films) -> list[Filmed]:
    """Film a dance to each of the first held-out songs; the demo's songs, which are anyone's to give, are in it."""
    network = bundle.network()
    found = []
    for dance in held_out(dances)[: settings.count]:
        frames = min(dance.frames, round(settings.seconds * FPS))
        song = dances.song(dance)
        music = np.array(dances.music(dance, 0, frames))
        ours, true = feet.lock(dancing.sample(network, music, SEED)), dances.motion(dance, 0, frames)
        sound = raw / "music" / song.source
        heard = bundle.manifest["demo"] and dance.start == 0 and sound.is_file()
        found.append(
            Filmed(
                genre=dance.genre or "",
                song=dance.song,
                tempo=song.tempo,
                video=film([ours, true], sound if heard else None),
                heard=heard,
                frames=frames,
                beats=within(song.beats, dance, frames),
                speeds=speeds({"network": ours, "true": true}),
            )
        )
    return found


def film(motions: list[Motion], sound: Path | None) -> str:
    """Draw dancers side by side as an MP4 in a data URI."""
    drawn = Film(motions, "skeleton", WIDTH, HEIGHT)
    with tempfile.TemporaryDirectory() as folder, closing(Soundtrack(sound)) if sound else nullcontext() as track:
        file = Path(folder) / "film.mp4"
        heard = Excerpt(track, drawn.seconds) if track else None
        with Writer(file, drawn.width, drawn.height, drawn.fps, heard, options=CODED) as writer:
            for picture in drawn.pictures():
                writer.write(picture)
        return "data:video/mp4;base64," + base64.b64encode(file.read_bytes()).decode()


def within(beats: tuple[float, ...], dance: Dance, frames: int) -> list[float]:
    """Give the beats that a dance hears, in its frames."""
    heard = (beat * FPS - dance.start for beat in beats)
    return [round(frame, 2) for frame in heard if 0 <= frame < frames]


def speeds(motions: dict[str, Motion]) -> list[tuple[str, str]]:
    """Draw the mean speed of the joints over frames as paths, one scale for all."""
    found = {
        name: np.linalg.norm(np.diff(motion.positions(), axis=0), axis=2).mean(1) for name, motion in motions.items()
    }
    most = max(float(steps.max(initial=0.0)) for steps in found.values()) or 1.0
    return [
        (name, curves.path([(frame + 0.5, round(1 - float(step) / most, 3)) for frame, step in enumerate(steps)]))
        for name, steps in found.items()
    ]
