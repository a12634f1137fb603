"""Talks drawn so that everything is known: a mouth that opens as loud as it is, and an expert that compares the two."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from preprocessing import talkpacks
from preprocessing.talkpacks import Clip, Content

FRAMES, SPEAKERS, CLIPS = 60, 3, 2
BEFORE = 20  # frames of the video that are not in the clip


def loudness(seed: int, frames: int) -> np.ndarray:
    """How loud it is and how far the mouth is open, 0..1 at 80 a second; silent in the last fifth."""
    rng = np.random.default_rng(seed)
    bumps = np.convolve(rng.uniform(-1, 1, frames * 16 // 5 + 60), np.hanning(24), "valid")
    wave = np.clip(bumps / np.abs(bumps).max() * 1.4, 0, 1)[: frames * 16 // 5 + 1]
    wave[4 * len(wave) // 5 :] = 0
    return wave.astype(np.float32)


def picture(opening: float, skin: int) -> np.ndarray:
    crop = np.full((96, 96, 3), (skin, int(0.8 * skin), int(0.7 * skin)), np.uint8)
    cv2.circle(crop, (48, 24), 9, (60, 40, 30), -1)
    cv2.ellipse(crop, (48, 72), (14, round(3 + 10 * opening)), 0, 0, 360, (200, 90, 90), -1)
    if opening > 0.05:
        cv2.ellipse(crop, (48, 72), (11, max(1, round(10 * opening))), 0, 0, 360, (15, 5, 5), -1)
    return crop


def write(data: Path, offset: int = 0, split: str = "test", clips: int = CLIPS) -> None:
    """Write packs of talks whose sound comes `offset` frames late, and what is true of them."""
    packed, contents, truth = [], [], {}
    for speaker in range(SPEAKERS):
        for number in range(clips):
            name, sha256 = f"s{speaker}/{number:05}", f"{speaker}{number}" * 32
            wave = loudness(10 * speaker + number, FRAMES)
            opening = wave[(np.arange(FRAMES) * 16 // 5)]
            skin = 120 + 40 * speaker
            pictures = np.stack([picture(each, skin) for each in opening])
            mel = np.repeat((-4 + 6 * np.roll(wave, offset * 16 // 5))[None], 80, axis=0).astype(np.float32)
            boxes = np.tile(np.array([10, 10, 106, 106], np.float32), (FRAMES, 1))
            packed.append(
                Clip(
                    id=name, speaker=f"s{speaker}", split=split, source=f"main/{name}.mp4", sha256=sha256,
                    text="안녕하세요", start=BEFORE / 25, frames=FRAMES, columns=mel.shape[1], speech=0.8,
                    licence="CC0-1.0", consent="rendered", commercial=True, box=(10.0, 10.0, 106.0, 106.0),
                )
            )  # fmt: skip
            contents.append(Content(pictures, mel, boxes))
            truth[name] = _truth(sha256, opening, offset)
    for folder in ("interim", "processed"):
        talkpacks.write(data / folder / "talks", packed, contents, [], "f00d")
    (data / "truth/talks").mkdir(parents=True)
    (data / "truth/talks/truth.json").write_text(json.dumps({"clips": truth}))


def _truth(sha256: str, opening: np.ndarray, offset: int) -> dict:
    """Tell the truth of a video of which the clip is all but the first frames."""
    whole = np.concatenate([np.zeros(BEFORE), opening])
    closed = whole <= 0.05
    shut = np.flatnonzero(closed[1:-1] & ~closed[:-2]) + 1  # the first closed frames after open ones
    return {
        "sha256": sha256, "fps": 25, "frames": len(whole), "offset": offset, "opening": whole.tolist(),
        "closed": closed.tolist(), "phonemes": [], "bilabials": [[at / 25, at / 25 + 0.03] for at in shut.tolist()],
        "silences": [[(len(whole) - 11) / 25, len(whole) / 25]], "mouth": [[44, 70, 28, 24]] * len(whole),
    }  # fmt: skip


class Ear(nn.Module):
    """An expert that needs no training: five openings of a mouth beside five loudnesses, each as a bump on a scale."""

    STEPS = 12

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(-0.1, 1.1, self.STEPS), requires_grad=False)

    def forward(self, mel: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
        loud = (mel.mean((1, 2)) + 4) / 6
        heard = loud[:, [0, 3, 6, 9, 12]]
        dark = (faces.unflatten(1, (5, 3)).mean(2)[:, :, 12:36, 36:60] < 0.12).float()
        seen = dark.sum((2, 3)) / (torch.pi * 110)
        return self._bumps(heard), self._bumps(seen)

    def _bumps(self, values: Tensor) -> Tensor:
        bumps = torch.exp(-(((values[..., None] - self.scale) / 0.12) ** 2)).flatten(1)
        return nn.functional.normalize(bumps, dim=1)
