"""Generated songs: a score drawn from a seed, whose beats are exact, and the sound of it."""

import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scraping.demo.dances import instruments
from scraping.demo.dances.genres import GENRES, Band
from scraping.demo.dances.instruments import NOTES, RATE

BARS = 2  # of a phrase: the eight (or six) that dancers count
PARTS = 4  # sixteenths of a beat
SCALES = {"minor": (0, 2, 3, 5, 7, 8, 10), "major": (0, 2, 4, 5, 7, 9, 11)}
# What each drum sounds like beside the others, and where it stands between left (-1) and right (1).
LOUD = {
    "kick": (0.95, 0.0),
    "snare": (0.68, 0.05),
    "clap": (0.56, -0.1),
    "hat": (0.28, 0.3),
    "open": (0.24, 0.3),
    "shaker": (0.22, -0.45),
    "cowbell": (0.14, -0.35),
    "rim": (0.22, 0.25),
    "tom": (0.5, -0.2),
    "crash": (0.34, 0.15),
}
LEVELS = ((1, 2, 1, 2, 2, 1, 2), (1, 1, 2, 2, 0, 2, 2), (1, 2, 0, 2, 1, 2, 2), (2, 1, 2, 0, 2, 2, 1))
TAIL = 1.2  # seconds that the last chord rings


@dataclass(frozen=True)
class Phrase:
    """Eight counts (six in three) of a song."""

    level: int  # 0 hardly a drum, 1 the groove, 2 everything
    fill: bool  # drums run into the next phrase over its last beat
    stop: bool  # everything is silent over its last beat


@dataclass(frozen=True)
class Score:
    """What a song plays, and when."""

    genre: str
    seed: int
    bpm: int
    metre: int  # beats of a bar
    lead: float  # seconds before the first beat
    key: int  # MIDI number of the lowest root
    progression: tuple[int, ...]
    phrases: tuple[Phrase, ...]

    @property
    def counts(self) -> int:
        """Beats of a phrase."""
        return BARS * self.metre

    @property
    def beat(self) -> float:
        return 60 / self.bpm

    @property
    def beats(self) -> list[float]:
        """The times of all beats in seconds, the last that of the final chord."""
        return [self.lead + n * self.beat for n in range(len(self.phrases) * self.counts + 1)]

    @property
    def seconds(self) -> float:
        return self.beats[-1] + TAIL


def score(genre: str, number: int, seed: int, seconds: float) -> Score:
    """Draw a song of at least so many seconds, to whole phrases, in the tempo that AIST++ gives its number."""
    rng = np.random.Generator(np.random.PCG64([seed, 501]))
    bpm = GENRES[genre].tempo(number)
    metre = 3 if number in GENRES[genre].waltzes else 4
    lead = float(np.round(rng.uniform(0.15, 0.6), 3))
    band = GENRES[genre].band
    key = int(rng.integers(33, 42))
    progression = band.progressions[rng.integers(len(band.progressions))]
    count = max(2, int(np.ceil((seconds - lead) / (BARS * metre * 60 / bpm))))
    levels = np.resize(LEVELS[rng.integers(len(LEVELS))], count)
    phrases = []
    for n, level in enumerate(levels):
        rises = n + 1 < count and levels[n + 1] == 2
        stop = bool(rises and rng.random() < 0.35)
        phrases.append(Phrase(int(level), bool(not stop and (rises or rng.random() < 0.25)), stop))
    return Score(genre, seed, bpm, metre, lead, key, progression, tuple(phrases))


def play(score: Score) -> np.ndarray:
    """Give the sound of a song, float32 [2, n] in [-1, 1] at `RATE`."""
    rng = np.random.Generator(np.random.PCG64([score.seed, 502]))
    band = GENRES[score.genre].band
    player = _Player(score, band, rng)
    player.drums()
    player.basses()
    player.chords()
    player.tune()
    player.end()
    return player.mixed()


def as_wav(samples: np.ndarray) -> bytes:
    """Write samples [2, n] as 16-bit WAV."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(samples.T * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


class _Player:
    """A band at its score: it lays strokes and notes on two tracks, one of drums and one of everything else."""

    def __init__(self, score: Score, band: Band, rng: np.random.Generator) -> None:
        self.score, self.band, self.rng = score, band, rng
        self.count = int(score.seconds * RATE)
        self.beaten = np.zeros((2, self.count))
        self.tuned = np.zeros((2, self.count))
        self.kit = self._kit()
        self.kicked: list[float] = []

    def _kit(self) -> dict[str, np.ndarray]:
        rng = self.rng
        return {
            "kick": instruments.kick(rng, rng.uniform(43, 54), rng.uniform(0.12, 0.2)),
            "snare": instruments.snare(rng, rng.uniform(170, 215), rng.uniform(0.08, 0.13)),
            "clap": instruments.clap(rng),
            "hat": instruments.hat(rng, rng.uniform(0.016, 0.03)),
            "open": instruments.hat(rng, 0.09),
            "shaker": instruments.shaker(rng),
            "cowbell": instruments.cowbell(),
            "rim": instruments.rim(rng),
            "tom": instruments.tom(rng, rng.uniform(85, 120)),
            "crash": instruments.crash(rng),
        }

    def _at(self, step: float) -> float:
        """Seconds of a sixteenth counted from the first beat; every second one swings."""
        whole, odd = divmod(step, 2)
        return self.score.lead + (2 * whole + (2 * self.band.swing if odd else 0)) * self.score.beat / PARTS

    def _lay(self, track: np.ndarray, samples: np.ndarray, at: float, loud: float, side: float = 0.0) -> None:
        first = round(at * RATE)
        samples = samples[: max(0, self.count - first)]
        angle = (side + 1) * np.pi / 4
        track[0, first : first + len(samples)] += samples * (loud * np.cos(angle) * np.sqrt(2))
        track[1, first : first + len(samples)] += samples * (loud * np.sin(angle) * np.sqrt(2))

    def _hit(self, name: str, at: float, loud: float = 1.0) -> None:
        level, side = LOUD[name]
        self._lay(self.beaten, self.kit[name], at, level * loud, side)
        if name == "kick":
            self.kicked.append(at)

    def _steps(self) -> Iterator[tuple[Phrase, int, int, int]]:
        """Go through phrase, bar of the song, sixteenth of the bar and sixteenth of the song that sound."""
        of_bar = self.score.metre * PARTS
        for n, phrase in enumerate(self.score.phrases):
            for step in range(BARS * of_bar):
                if phrase.stop and step >= BARS * of_bar - PARTS:
                    continue
                yield phrase, n * BARS + step // of_bar, step % of_bar, n * BARS * of_bar + step

    def drums(self) -> None:
        """Play the pattern, thinner where the level is low; fills and crashes mark where phrases meet."""
        of_phrase = self.score.counts * PARTS
        for phrase, _, step, place in self._steps():
            left = of_phrase - place % of_phrase
            filling = phrase.fill and left <= PARTS
            for name, line in self.band.drums.items():
                stroke = line[step % len(line)]
                if stroke == "." or not self._plays(name, phrase, filling):
                    continue
                loud = (1.0 if stroke == "x" else 0.45) * self.rng.uniform(0.88, 1.0)
                self._hit(name, self._at(place), loud if phrase.level else 0.6 * loud)
            if filling:
                self._hit("snare" if left % 2 else "tom", self._at(place), 0.95 - 0.13 * left)
            if place % of_phrase == 0 and phrase.level == 2:
                self._hit("crash", self._at(place))
                self._hit("kick", self._at(place), 0.6)

    def _plays(self, name: str, phrase: Phrase, filling: bool) -> bool:
        if filling and name in ("snare", "clap", "rim"):
            return False
        if phrase.level == 0:
            return name in ("hat", "shaker", "rim", "clap")
        return phrase.level == 2 or name not in ("open", "cowbell", "tom")

    def _hertz(self, degree: int, octave: int = 0) -> float:
        scale = SCALES[self.band.scale]
        up, place = divmod(degree, len(scale))
        return 440.0 * 2 ** ((self.score.key + scale[place] + 12 * (up + octave) - 69) / 12)

    def _root(self, bar: int) -> int:
        return self.score.progression[bar % len(self.score.progression)]

    def basses(self) -> None:
        """Play a bass line of the chord's root, its octave, fifth and the seventh below; softly where it is calm."""
        step = self.score.beat / PARTS
        line = self.band.bass
        for phrase, bar, place, at in self._steps():
            letter = line[place % len(line)]
            if letter == "." or (phrase.level == 0 and place):
                continue
            root = self._root(bar) - (7 if self._root(bar) > 4 else 0)
            degree, octave = {"0": (root, 0), "8": (root, 1), "5": (root + 4, 0), "7": (root - 1, 0)}[letter]
            ahead = next((n for n in range(1, 17) if line[(place + n) % len(line)] != "."), 4)
            note = instruments.bass(self._hertz(degree, octave), 0.92 * step * min(ahead, 8), self.band.bass_kind)
            self._lay(self.tuned, note, self._at(at), 0.42)

    def _chord(self, root: int) -> list[float]:
        """Voice a chord near the middle of the keyboard: root, third, fifth, seventh."""
        degrees = [root, root + 2, root + 4, root + 6]
        notes = [self._hertz(degree, 2) for degree in degrees]
        return [hertz / 2 if hertz > 420 else hertz for hertz in notes]

    def chords(self) -> None:
        """Strike chords where the line says; strings hold them through where the band has strings."""
        step = self.score.beat / PARTS
        struck: dict[tuple[str, float, int], np.ndarray] = {}
        held = self.score.metre * self.score.beat
        for phrase, bar, place, at in self._steps():
            notes = self._chord(self._root(bar))
            if place == 0 and (self.band.pad or phrase.level == 0):
                swell = self._note(struck, "pad", notes, held)
                self._lay(self.tuned, swell, self._at(at), 0.3 if phrase.level == 0 else 0.2, 0.2)
            line = self.band.chords
            if line[place % len(line)] != "x" or (phrase.level == 0 and place):
                continue
            length = 1 + len(line[place % len(line) + 1 :]) - len(line[place % len(line) + 1 :].lstrip("-"))
            seconds = step * (length if length > 1 else 2.5)
            chord = self._note(struck, self.band.chord_kind, notes, seconds)
            self._lay(self.tuned, chord, self._at(at), 0.36 * self.rng.uniform(0.85, 1), -0.3)

    def _note(self, struck: dict, kind: str, notes: list[float], seconds: float) -> np.ndarray:
        key = (kind, notes[0], round(1000 * seconds))
        if key not in struck:
            struck[key] = sum(NOTES[kind](hertz, seconds) for hertz in notes) / len(notes)
        return struck[key]

    def tune(self) -> None:
        """Sing a motif of one phrase over and over, its second half answering, where the level is full."""
        of_phrase = self.score.counts * PARTS
        motif = self._motif(of_phrase)
        for n, phrase in enumerate(self.score.phrases):
            if phrase.level == 1 and n % 2 == 0:
                continue
            for place, degree, length in motif:
                if phrase.stop and place >= of_phrase - PARTS:
                    continue
                root = self._root(n * BARS + place // (self.score.metre * PARTS))
                hertz = self._hertz(root + degree, 3 if self.band.tune_kind in ("lead", "piano", "keys") else 2)
                note = NOTES[self.band.tune_kind](hertz, length * self.score.beat / PARTS)
                self._lay(self.tuned, note, self._at(n * of_phrase + place), 0.2, 0.25)

    def _motif(self, steps: int) -> list[tuple[int, int, int]]:
        """Draw (sixteenth, degree over the root, sixteenths long): a rhythm twice, chord tones where it is heavy."""
        half = steps // 2
        rhythm, place = [], 0
        while place < half:
            length = int(self.rng.choice([2, 3, 4, 6], p=[0.35, 0.25, 0.3, 0.1]))
            if self.rng.random() < 0.78:
                rhythm.append((place, min(length, half - place)))
            place += length
        motif, degree = [], 4
        for start in (0, half):
            for place, length in rhythm:
                strong = place % PARTS == 0
                near = [tone for tone in ((0, 2, 4, 7) if strong else range(-1, 9)) if abs(tone - degree) <= 4]
                degree = int(self.rng.choice(near))
                motif.append((start + place, degree, length))
        return motif

    def end(self) -> None:
        """Strike the last chord together."""
        at = self.score.beats[-1]
        notes = self._chord(self.score.progression[0])
        self._hit("kick", at)
        self._hit("crash", at, 0.8)
        self._lay(self.tuned, self._note({}, self.band.chord_kind, notes, TAIL), at, 0.45)
        self._lay(self.tuned, instruments.bass(self._hertz(0), TAIL, self.band.bass_kind), at, 0.5)

    def mixed(self) -> np.ndarray:
        """Put both tracks in a room, let the kick press the tune down, and bring all to one loudness."""
        t = np.arange(self.count) / RATE
        if self.band.pump:
            last = np.array([0.0, *self.kicked])[np.searchsorted(np.array(self.kicked), t, side="right")]
            since = np.where(last > 0, t - last, 9.0)
            self.tuned *= 1 - self.band.pump * np.exp(-since / 0.11)
        echo = instruments.room(self.rng, self.band.room)
        size = 1 << int(np.ceil(np.log2(self.count + echo.shape[1])))
        dry = self.tuned + 0.35 * self.beaten
        wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(echo, size), size)[:, : self.count]
        mix = self.beaten + self.tuned + 0.22 * wet
        mix = np.tanh(mix * (0.32 / np.sqrt((mix**2).mean())) * 0.75)
        fade = int(0.25 * RATE)
        mix[:, -fade:] *= np.linspace(1, 0, fade) ** 2
        return (mix * (0.92 / np.abs(mix).max())).astype(np.float32)
