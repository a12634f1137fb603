"""Find by how many frames the sound of a clip comes later than its picture: a sweep of the sync expert.

Chung and Zisserman, Out of Time (ACCV 2016 workshops), with the expert of Wav2Lip (arXiv 2008.10010).
"""

import numpy as np
import torch
from torch import nn

from inference import audio
from inference.networks import wav2lip

FPS = 25
FRAMES = 5  # that the expert sees at once
SPAN = 15
BATCH = 64


def sweep(expert: nn.Module, frames: np.ndarray, mel: np.ndarray, span: int = SPAN) -> np.ndarray:
    """Give the mean L2 distance of picture and sound for each offset -span..span, float32 [2 * span + 1].

    `frames` uint8 [N, 96, 96, 3] RGB at 25 frames a second, `mel` [80, T] beginning with the first of them. At offset
    k a frame f is heard k frames later, at frame f + k of the mel; only pairs within the clip are counted, and an
    offset without any is NaN.
    """
    pairs = distances(expert, frames, mel, span)
    known = ~np.isnan(pairs)
    with np.errstate(invalid="ignore"):
        return (np.where(known, pairs, 0).sum(0) / known.sum(0)).astype(np.float32)


def distances(expert: nn.Module, frames: np.ndarray, mel: np.ndarray, span: int = SPAN) -> np.ndarray:
    """Give the distance of each window of five frames to the sound at each offset, float32 [N - 4, 2 * span + 1].

    NaN where the sound would begin before the clip or end after it. The expert must be in eval mode.
    """
    sounds, faces = embed(expert, frames, mel)
    found = np.full((len(faces), 2 * span + 1), np.nan, np.float32)
    for column, offset in enumerate(range(-span, span + 1)):
        first, end = max(0, -offset), min(len(faces), len(sounds) - offset)
        if first < end:
            apart = faces[first:end] - sounds[first + offset : end + offset]
            found[first:end, column] = np.linalg.norm(apart, axis=1)
    return found


def embed(expert: nn.Module, frames: np.ndarray, mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the expert's view of sound and picture from each frame on: two float32 [windows, E] of unit length."""
    if expert.training:
        raise ValueError("the expert must be in eval mode: its batch norm would follow the clip")
    pictures = max(0, len(frames) - FRAMES + 1)
    heard = _whole_windows(mel.shape[1])
    device = next(expert.parameters()).device
    # The network embeds both at once, so the shorter row goes along with its last window repeated.
    sounds, faces = [], []
    with torch.inference_mode():
        for start in range(0, min(1, pictures, heard) * max(pictures, heard), BATCH):
            rows = range(start, min(start + BATCH, max(pictures, heard)))
            columns = audio.windows(mel, [min(row, heard - 1) for row in rows], FPS)[:, None]
            shown = [min(row, pictures - 1) for row in rows]
            lower = wav2lip.sync_input(np.stack([frames[row : row + FRAMES] for row in shown]))
            sound, face = expert(torch.from_numpy(columns).to(device), lower.to(device))
            sounds.append(sound.float().cpu().numpy())
            faces.append(face.float().cpu().numpy())
    if not sounds:
        return np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32)
    return np.concatenate(sounds)[:heard], np.concatenate(faces)[:pictures]


def read(distances: np.ndarray) -> tuple[int, float]:
    """Give the offset of the least mean distance, and by how much it lies under the median (LSE-C's measure).

    (0, 0.0) where no offset is known.
    """
    if np.isnan(distances).all():
        return 0, 0.0
    span = len(distances) // 2
    least = float(np.nanmin(distances))
    return int(np.nanargmin(distances)) - span, float(np.nanmedian(distances)) - least


def _whole_windows(columns: int) -> int:
    """Count the frames whose window of sound ends within the mel."""
    count = 0
    while audio.column(count, FPS) + audio.WINDOW <= columns:
        count += 1
    return count
