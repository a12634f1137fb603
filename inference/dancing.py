"""Dance a song of any length: a few deterministic steps from noise to motion, by whichever network and back end.

motion = sample(bundle.network(), features.array, seed=1)                       # inference.motion.clip.Motion
motion = sample(network, features.array, known=Known.placed(begin, frames))     # goes on from what is known

The whole song is one sequence of noise. At each step the network sees it through windows that overlap; what they say of
the same frame is averaged, so that windows agree and no seam is left (as Bar-Tal et al. 2023, MultiDiffusion, do with
pictures). What is known of the dance is put in place at each step, and is in the result to the bit.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from inference.errors import UserError
from inference.motion import settling
from inference.motion.clip import FPS, VECTOR, Motion
from inference.motion.skeleton import JOINTS
from inference.networks.dance import DanceConfig, schedule
from inference.networks.dance_gan import Composer, slow_noise

STEPS = 10
CLOSER = 1.5  # 1: steps are evenly spaced; above, they are closer where most is noise, and where the dance is decided
GUIDANCE = 2.0  # 1: as likely as what was learned from; more: more of what this music asks for
OVERLAP = 1 / 3  # of a window
BATCH = 16  # windows at a time
CHANGE = 60  # frames in which a composer's noise moves on
EASE = 10  # frames in which a composer's dance comes up to what is known
Part = Literal["all", "upper", "lower"]
Progress = Callable[[int, int], None]  # told how many steps of how many are done

_LOWER = ("pelvis", *(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")))


class Network(Protocol):
    """What denoises: `inference.networks.dance.Denoiser`, or its graph in `OfGraph`."""

    config: DanceConfig
    motion_mean: Tensor
    motion_std: Tensor

    def encode(self, music: Tensor, heard: Tensor) -> Any: ...

    def denoise(self, noisy: Tensor, level: Tensor, music: Any, genre: Tensor) -> Tensor: ...


class OfGraph:
    """A denoiser that another back end runs: `run` takes and gives what `Denoiser.forward` does, as arrays."""

    def __init__(
        self, run: Callable[..., Sequence[np.ndarray]], config: DanceConfig, mean: np.ndarray, std: np.ndarray
    ) -> None:
        self.run, self.config = run, config
        self.motion_mean, self.motion_std = (torch.as_tensor(np.asarray(each, np.float32)) for each in (mean, std))

    def encode(self, music: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        return music, heard

    def denoise(self, noisy: Tensor, level: Tensor, music: tuple[Tensor, Tensor], genre: Tensor) -> Tensor:
        (clean,) = self.run(*(each.numpy() for each in (noisy, level, music[0], genre, music[1])))
        return torch.from_numpy(clean)


# -- what is known ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What of a dance is given: float32 [T, 151] as `Motion.to_vector` has it, where bool [T, 151] says so.

    A known root counts from where the dance is about: dances stay around the origin.
    """

    values: np.ndarray
    where: np.ndarray

    def __post_init__(self) -> None:
        shapes = self.values.shape, self.where.shape
        if shapes[0] != shapes[1] or self.values.shape[1:] != (VECTOR,):
            raise UserError(f"what is known is {list(shapes[0])} where {list(shapes[1])}: expected [frames, {VECTOR}]")
        if not np.isfinite(self.values[self.where]).all():
            raise UserError("what is known of the dance is not finite: give motion without NaN")

    @classmethod
    def placed(cls, motion: Motion, frames: int, first: int = 0, part: Part = "all") -> "Known":
        """Know a motion, or a part of its body, from frame `first` of so many on; what lies outside is left out."""
        vector = motion.resampled(FPS).to_vector()
        begin, end = max(0, first), min(frames, first + len(vector))
        if begin >= end:
            raise UserError(f"the known motion lies at frame {first}, outside of a dance of {frames} frames")
        values, where = np.zeros((frames, VECTOR), np.float32), np.zeros((frames, VECTOR), bool)
        values[begin:end] = vector[begin - first : end - first]
        where[begin:end] = columns(part)
        return cls(values, where)

    def __or__(self, other: "Known") -> "Known":
        """Know both, the first where they speak of the same: in-betweening knows a beginning and an end."""
        return Known(np.where(self.where, self.values, other.values), self.where | other.where)


def columns(part: Part) -> np.ndarray:
    """Tell which numbers of a frame are of a part of the body: bool [151]; root and contacts are the legs'."""
    lower = np.repeat([name in _LOWER for name in JOINTS], 6)
    lower = np.concatenate([np.ones(VECTOR - len(lower), bool), lower])
    return {"all": np.ones(VECTOR, bool), "lower": lower, "upper": ~lower}[part]


# -- windows -----------------------------------------------------------------------------------------------------------


class Windows:
    """Windows that cover so many frames evenly, each overlapping the next."""

    def __init__(self, frames: int, window: int, overlap: int) -> None:
        if not 0 <= overlap < window:
            raise UserError(f"windows of {window} frames cannot overlap by {overlap}: give 0 to {window - 1}")
        self.frames, self.window = max(frames, window), window
        count = math.ceil((self.frames - overlap) / (window - overlap))
        self.starts = np.linspace(0, self.frames - window, count).round().astype(int).tolist()
        place = torch.arange(window, dtype=torch.float32)
        self.ramp = (torch.minimum(place + 1, window - place) / (overlap + 1)).clamp(max=1)[:, None]

    def cut(self, sequence: Tensor, starts: Sequence[int]) -> Tensor:
        return torch.stack([sequence[start : start + self.window] for start in starts])

    def joined(self, parts: Tensor) -> Tensor:
        """Average what windows [N, window, C] say: [frames, C]; what a window says of its ends weighs little."""
        ramp = self.ramp.to(parts)
        total, weight = parts.new_zeros(self.frames, parts.shape[-1]), parts.new_zeros(self.frames, 1)
        for start, part in zip(self.starts, parts, strict=True):
            total[start : start + self.window] += ramp * part
            weight[start : start + self.window] += ramp
        return total / weight


# -- sampling ----------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def sample(
    network: Network | Composer,
    music: np.ndarray,
    seed: int = 0,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    genre: int = 0,
    known: Known | None = None,
    overlap: float = OVERLAP,
    progress: Progress | None = None,
) -> Motion:
    """Dance to features [T, 37] of a song (inference/music.py), T frames at 30 a second; the same seed, the same dance.

    `genre` counts from 1 on, 0 leaves it to the music. A composer (the GAN) dances in one pass: steps and guidance are
    nothing to it. What cannot be danced raises a UserError.
    """
    features = _checked(network.config, music, genre, known)
    if steps < 1:
        raise UserError(f"{steps} steps lead nowhere: give 1 or more")
    device = network.motion_mean.device
    if known is not None:
        values, where = torch.from_numpy(known.values).to(device), torch.from_numpy(known.where).to(device)
        values = (values - network.motion_mean) / network.motion_std
    if isinstance(network, Composer):
        made = _composed(network, features.to(device), seed, genre)
        made = made if known is None else _eased(made, values, where)
    else:
        windows = Windows(len(features), network.config.window, int(overlap * network.config.window))
        spare = windows.frames - len(features)
        hint = None if known is None else (_longer(values, spare), _longer(where, spare))
        song = _longer(features.to(device), spare, hold=True)
        said = _Said(network, windows, song, guidance, genre)
        made = _denoised(said, _noise(windows.frames, seed).to(device), steps, hint, progress)[: len(features)]
        made = settling.calmed(made)
    return _motion(made * network.motion_std + network.motion_mean, known)


class _Said:
    """What a network says of a whole song at once, window by window; the music is heard once for all steps."""

    def __init__(self, network: Network, windows: Windows, song: Tensor, guidance: float, genre: int) -> None:
        self.network, self.windows, self.guidance = network, windows, guidance
        self.twice = 2 if guidance != 1 else 1
        self.parts = [windows.starts[first : first + BATCH] for first in range(0, len(windows.starts), BATCH)]
        self.music, self.genres = [], []
        for starts in self.parts:
            heard = torch.ones(len(starts), device=song.device)
            flags = torch.cat([heard, 0 * heard][: self.twice])
            self.music.append(network.encode(windows.cut(song, starts).repeat(self.twice, 1, 1), flags))
            self.genres.append(flags * genre)

    def __call__(self, noisy: Tensor, level: float) -> Tensor:
        """Give what is under the noise of a song, [T, 151]."""
        return self.windows.joined(torch.cat(list(self._each(noisy, level))))

    def _each(self, noisy: Tensor, level: float) -> Iterator[Tensor]:
        for starts, music, genres in zip(self.parts, self.music, self.genres, strict=True):
            seen = self.windows.cut(noisy, starts).repeat(self.twice, 1, 1)
            clean = self.network.denoise(seen, torch.full_like(genres, level), music, genres)
            if self.twice == 2:  # classifier-free guidance (Ho and Salimans 2022)
                heard, unheard = clean.chunk(2)
                clean = unheard + self.guidance * (heard - unheard)
            yield clean


def _denoised(
    said: _Said, x: Tensor, steps: int, hint: tuple[Tensor, Tensor] | None, progress: Progress | None
) -> Tensor:
    """Follow the flow from noise to motion, to second order (DPM-Solver++ 2M, Lu et al. 2022, algorithm 2)."""
    levels = 1 - torch.linspace(0, 1, steps + 1, dtype=torch.float64) ** CLOSER
    alphas, sigmas = schedule(levels)
    signal = (alphas / sigmas).log()  # half the log of the ratio of signal to noise
    before = clean = None
    for step, (now, then) in enumerate(pairwise(range(steps + 1))):
        before, clean = clean, said(x, float(levels[now]))
        if hint is not None:
            clean = torch.where(hint[1], hint[0], clean)
        if then < steps:
            aim = clean
            if before is not None:
                ratio = (signal[then] - signal[now]) / (signal[now] - signal[now - 1])
                aim = clean + float(ratio / 2) * (clean - before)
            keep = float(sigmas[then] / sigmas[now])
            x = keep * x + float(alphas[then] - keep * alphas[now]) * aim
        if progress:
            progress(step + 1, steps)
    return clean


def _composed(network: Composer, features: Tensor, seed: int, genre: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = slow_noise(1, len(features), network.config.noise, CHANGE, generator).to(features.device)
    return network(features[None], noise, torch.full((1,), float(genre), device=features.device))[0]


def _eased(made: Tensor, values: Tensor, where: Tensor) -> Tensor:
    """Put what is known in place, and have what is made come up to it: [T, 151], number by number.

    A frame near a known one is moved by as much as the known one was, less so the farther it is.
    """
    moved = torch.where(where, values - made, 0.0)
    place = torch.arange(len(made), device=made.device)
    added = torch.zeros_like(made)
    for column in where.any(0).nonzero()[:, 0].tolist():
        there = where[:, column].nonzero()[:, 0]
        after = torch.searchsorted(there, place).clamp(max=len(there) - 1)
        near = torch.stack([there[(after - 1).clamp(min=0)], there[after]])
        nearest = near.gather(0, (near - place).abs().argmin(0, keepdim=True))[0]
        ease = (1 - (nearest - place).abs() / EASE).clamp(min=0)
        added[:, column] = ease * moved[nearest, column]
    return made + added


def _noise(frames: int, seed: int) -> Tensor:
    """Draw on the CPU, so that a seed means the same dance on every device."""
    return torch.randn(frames, VECTOR, generator=torch.Generator().manual_seed(seed))


def _longer(sequence: Tensor, spare: int, hold: bool = False) -> Tensor:
    """Go on for some frames after the end: with nothing, or as it was last."""
    rest = sequence[-1:].expand(spare, -1)
    return torch.cat([sequence, rest if hold else torch.zeros_like(rest)])


def _checked(config: Any, music: np.ndarray, genre: int, known: Known | None) -> Tensor:
    features = np.asarray(music, np.float32)
    if features.ndim != 2 or features.shape[1] != config.music or not len(features):
        raise UserError(f"the music's features are {list(features.shape)}, expected [frames, {config.music}]")
    if not np.isfinite(features).all():
        raise UserError("the music's features are not finite: read the song anew")
    if not 0 <= genre <= config.genres:
        raise UserError(
            f"genre {genre} is none of the {config.genres} that this network knows; 0 leaves it to the music"
        )
    if known is not None and len(known.values) != len(features):
        raise UserError(f"{len(known.values)} frames are known of a dance of {len(features)}: give as many, masked")
    return torch.from_numpy(features)


def _motion(vector: Tensor, known: Known | None) -> Motion:
    """Make a motion of what a network made; what is known is in it to the bit."""
    made = vector.float().cpu().numpy()
    if not np.isfinite(made).all():
        raise UserError("the network made no numbers of this music: its weights are broken, train or fetch it anew")
    vector = settling.bridged(Motion.from_vector(made)).to_vector()
    vector[:, :4] = vector[:, :4] > 0.5
    if known is not None:
        vector = np.where(known.where, known.values, vector)
    contacts, root, rotations = np.split(vector, (4, 7), 1)
    return Motion(rotations.reshape(-1, len(JOINTS), 6), root, contacts, FPS)
