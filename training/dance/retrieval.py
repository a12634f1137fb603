"""Dance to a song by looking up who danced to the most similar one: what a generator has to beat.

Of the training dances those are taken first whose music is most like the song by how its features lie and spread; of
these, the dance and the moment from which on its rhythm goes with the song's best, frame by frame. It is true dancing,
on the beat where it can be, to music that somebody else heard.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from preprocessing.dancepacks import Dance, Dances

MEASURED = 33  # columns: envelope, MFCC and chroma, of which summaries are made
RHYTHM = [0, 33, 34, 35, 36]  # columns: envelope, onset, beat, phase
NEAREST = 5  # dances of which the moment is looked for


@dataclass(frozen=True)
class Found:
    """Frames of a training dance."""

    dance: Dance
    first: int
    count: int


class Retriever:
    """Every training dance's music, summed up."""

    def __init__(self, dances: Dances) -> None:
        self.dances, self.training = dances, dances.of("train")
        summaries = np.array([self._summary(dances.music(dance)) for dance in self.training])
        self.mean, self.deviation = summaries.mean(0), summaries.std(0) + 1e-6
        self.summaries = (summaries - self.mean) / self.deviation

    def find(self, music: np.ndarray) -> Found:
        """Find what to dance to features [T, 37]; shorter than T only where no training dance is as long."""
        fits = [number for number, dance in enumerate(self.training) if dance.frames >= len(music)]
        if not fits:
            longest = max(dance.frames for dance in self.training)
            fits = [number for number, dance in enumerate(self.training) if dance.frames == longest]
            music = music[:longest]
        asked = (self._summary(music) - self.mean) / self.deviation
        apart = np.linalg.norm(self.summaries[fits] - asked, axis=1)
        nearest = [fits[place] for place in np.argsort(apart, kind="stable")[:NEAREST]]
        moments = [self._moment(self.training[number], music) for number in nearest]
        first, number = min((apart, first, number) for (apart, first), number in zip(moments, nearest, strict=True))[1:]
        return Found(self.training[number], first, len(music))

    def _summary(self, music: np.ndarray) -> np.ndarray:
        columns = self.dances.normalised(music)[:, :MEASURED]
        return np.concatenate([columns.mean(0), columns.std(0)])

    def _moment(self, dance: Dance, music: np.ndarray) -> tuple[float, int]:
        """Give the least mean square difference of the rhythms, and from which frame of the dance on."""
        theirs = self.dances.normalised(self.dances.music(dance))[:, RHYTHM]
        ours = self.dances.normalised(music)[:, RHYTHM]
        every = sliding_window_view(theirs, len(ours), axis=0)  # [moments, columns, T]
        apart = ((every - ours.T) ** 2).mean((1, 2))
        return float(apart.min()), int(apart.argmin())
