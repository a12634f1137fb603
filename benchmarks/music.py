"""Measure how music is heard: seconds for a song's features, and how well its beats are found.

    OMP_NUM_THREADS=1 python -m benchmarks.music --json
    OMP_NUM_THREADS=1 python -m benchmarks.music --librosa ~/other/bin/python    # has librosa: the same by its means

Songs are those of the demo dances, by seed, whose beats are known exactly; the fit of `beats.WEIGHTS` has heard other
seeds of the same ten bands. Seconds are of CPU, the least of some rounds, for others use the machine too.
"""

import argparse
import json
import subprocess
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

WITHIN = (0.02, 0.035, 0.07)  # s
FIRST_SEED = 700_000
LIBROSA = """
import json, sys, time, librosa
def hear(path):
    samples, rate = librosa.load(path, sr=15360)
    envelope = librosa.onset.onset_strength(y=samples, sr=rate)
    librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=20)
    librosa.feature.chroma_cens(y=samples, sr=rate)
    librosa.onset.onset_detect(onset_envelope=envelope, sr=rate)
    return librosa.beat.beat_track(onset_envelope=envelope, sr=rate)[1] * 512 / rate
def timed(path):
    begun = time.process_time()
    hear(path)
    return time.process_time() - begun
timed_path, rounds, *songs = sys.argv[1:]
times = [timed(timed_path) for _ in range(int(rounds) + 1)][1:]
print(json.dumps({"seconds": min(times, default=None), "beats": [hear(path).tolist() for path in songs]}))
"""


def write_song(path: Path, genre: str, number: int, seconds: float) -> tuple[int, int, list[float]]:
    """Write a demo song as WAV; give its beats a minute, its metre and the times of its beats."""
    from scraping.demo.dances import songs

    score = songs.score(genre, number, FIRST_SEED + number, seconds)
    path.write_bytes(songs.as_wav(songs.play(score)))
    return score.bpm, score.metre, score.beats


def repeat(path: Path, seconds: float) -> None:
    """Make a WAV so many seconds long by playing it over and over."""
    with wave.open(str(path)) as file:
        kind, sound = file.getparams(), file.readframes(file.getnframes())
    whole = int(seconds * kind.framerate) * kind.nchannels * kind.sampwidth
    with wave.open(str(path), "wb") as file:
        file.setparams(kind)
        file.writeframes((sound * (whole // len(sound) + 1))[:whole])


def seconds_of(path: Path, rounds: int) -> float:
    """Give the least seconds of CPU that the features of a file take, decoding and all."""
    from inference import music

    times = []
    for _ in range(rounds):
        begun = time.process_time()
        music.features(path)
        times.append(time.process_time() - begun)
    return min(times)


def f1(found: np.ndarray, true: np.ndarray, within: float) -> float:
    """Give the F1 of beats that lie so near to one another, in seconds, one to one."""
    if not len(found):
        return 0.0
    nearest = np.abs(found[:, None] - true).argmin(axis=1)
    hit = np.unique(nearest[np.abs(found - true[nearest]) <= within])
    return 2 * len(hit) / (len(found) + len(true))


def features(seconds: float = 240.0, rounds: int = 2, librosa: Path | None = None) -> dict[str, float]:
    """Time the features of a song of that length; librosa's too, given a Python that has it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.wav"
        write_song(path, "HO", 2, 12)
        repeat(path, seconds)
        result = {"song_seconds": seconds, "seconds": round(seconds_of(path, rounds), 2)}
        if librosa:
            result["librosa_seconds"] = round(_by_librosa(librosa, path, rounds, [])["seconds"], 2)
    return result


def beats(seconds: float = 16.0, librosa: Path | None = None) -> dict[str, object]:
    """Find the beats of 20 songs of ten genres, with the tempo untold and told, and by librosa."""
    from inference import music
    from scraping.demo.dances.genres import GENRES

    ways: dict[str, list[np.ndarray]] = {"untold": [], "told": []}
    true, kinds, paths = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for n, genre in enumerate([*GENRES, *GENRES]):
            paths.append(Path(folder) / f"{n}.wav")
            bpm, metre, struck = write_song(paths[-1], genre, (n + 3 * (n // len(GENRES))) % 6, seconds)
            true.append(np.array(struck))
            kinds.append(f"{genre} {bpm} {metre}/4")
            ways["untold"].append(music.features(paths[-1]).beats)
            ways["told"].append(music.features(paths[-1], start_bpm=bpm).beats)
        if librosa:
            ways["librosa"] = [np.array(found) for found in _by_librosa(librosa, paths[0], 0, paths)["beats"]]
    rated = {way: _rate(found, true, kinds) for way, found in ways.items()}
    return {"songs": len(true), "song_seconds": seconds, **rated}


def _rate(found: list[np.ndarray], true: list[np.ndarray], kinds: list[str]) -> dict[str, object]:
    """Give the mean F1 at each distance, the songs that are mostly wrong, and how late beats are."""
    pairs = list(zip(found, true, strict=True))
    scores = {within: [f1(*pair, within) for pair in pairs] for within in WITHIN}
    result: dict[str, object] = {f"f1_{1000 * within:.0f}_ms": round(np.mean(scores[within]), 3) for within in WITHIN}
    result["wrong"] = [kind for kind, score in zip(kinds, scores[WITHIN[-1]], strict=True) if score < 0.8]
    off = np.concatenate([ours - theirs[np.abs(ours[:, None] - theirs).argmin(axis=1)] for ours, theirs in pairs])
    near = 1000 * off[np.abs(off) <= WITHIN[-1]]
    return result | {"late_ms": round(near.mean(), 1), "deviation_ms": round(near.std(), 1)}


def _by_librosa(python: Path, path: Path, rounds: int, songs: list[Path]) -> dict:
    words = [str(python), "-c", LIBROSA, str(path), str(rounds), *map(str, songs)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=240.0, help="of the song that is timed")
    parser.add_argument("--beat-seconds", type=float, default=16.0, help="of the songs whose beats are found")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--librosa", type=Path, help="a Python that has librosa")
    chosen = parser.parse_args()
    result = {
        "features": features(chosen.seconds, chosen.rounds, chosen.librosa),
        "beats": beats(chosen.beat_seconds, chosen.librosa),
    }
    print(json.dumps(result, indent=None if chosen.json else 2))


if __name__ == "__main__":
    main()
