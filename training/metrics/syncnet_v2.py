"""The expert by which LSE is published: SyncNet (Chung and Zisserman 2016), with weights that the user brings.

Those weights, `syncnet_v2.model`, are in no package registry and say nothing of commercial use: the project brings
none. The network is described by its layers; its audio front end computes what `python_speech_features.mfcc` computes
by default, on samples of 16 bits.
"""

import pickle
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from inference.errors import UserError, one_line
from training.metrics import lse

RATE = 16_000
EDGE = 224
PARAMETERS = 13_631_616
BATCH = 20
HEARD = 20  # MFCC columns that one vector hears, four a frame
CEPSTRA, FILTERS, LIFTER, PRE_EMPHASIS = 13, 26, 22, 0.97
FRAME, STEP, FFT = 400, 160, 512  # samples
FULL_SCALE = 32768


class SyncNetV2(nn.Module):
    """Two branches that end in vectors of 1024; the names of its parts are those of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_layer(nn.Conv2d, 1, 64, 3, padding=1),
            nn.Identity(),  # the weights count a pooling of 1 by 1 here
            *_layer(nn.Conv2d, 64, 192, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            *_layer(nn.Conv2d, 192, 384, 3, padding=1),
            *_layer(nn.Conv2d, 384, 256, 3, padding=1),
            *_layer(nn.Conv2d, 256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            *_layer(nn.Conv2d, 256, 512, (5, 4)),
        )
        still = (0, 1, 1)
        self.netcnnlip = nn.Sequential(
            *_layer(nn.Conv3d, 3, 96, (5, 7, 7), stride=(1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer(nn.Conv3d, 96, 256, (1, 5, 5), stride=(1, 2, 2), padding=still),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=still),
            *_layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=still),
            *_layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=still),
            *_layer(nn.Conv3d, 256, 256, (1, 3, 3), padding=still),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer(nn.Conv3d, 256, 512, (1, 6, 6)),
        )
        self.netfcaud, self.netfclip = _head(), _head()

    def hear(self, cepstra: Tensor) -> Tensor:
        """Give the vectors [B, 1024] of MFCC windows [B, 1, 13, 20]."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))

    def see(self, frames: Tensor) -> Tensor:
        """Give the vectors [B, 1024] of five frames [B, 3, 5, 224, 224], BGR, 0 to 255."""
        return self.netfclip(self.netcnnlip(frames).flatten(1))


def _layer(convolution: type[nn.Module], wide_in: int, wide_out: int, kernel: int | tuple, **shape) -> list[nn.Module]:
    norm = nn.BatchNorm3d if convolution is nn.Conv3d else nn.BatchNorm2d
    return [convolution(wide_in, wide_out, kernel, **shape), norm(wide_out), nn.ReLU()]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


def read(path: Path) -> SyncNetV2:
    """Read `syncnet_v2.model` without running any of it; all its keys and shapes must be the network's."""
    asked = f"evaluate_wav2lip.syncnet_v2={path}"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{asked} is not there: give the file syncnet_v2.model, or null") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        why = one_line(error, 120)
        raise UserError(f"{asked} holds no plain weights ({why}): give syncnet_v2.model") from None
    network = SyncNetV2()
    wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    there = state if isinstance(state, dict) else {}
    found = {key: tuple(getattr(tensor, "shape", ())) for key, tensor in there.items()}
    # Files of before PyTorch 0.4.1 do not count batches.
    wrong = [key for key in wanted if found.get(key) != wanted[key] and not key.endswith("num_batches_tracked")]
    wrong += [key for key in found if key not in wanted]
    if wrong:
        some = ", ".join(map(str, wrong[:3]))
        raise UserError(f"{asked} is another network: {len(wrong)} of its tensors do not fit ({some})")
    network.load_state_dict(state, strict=False)
    return network.eval().requires_grad_(False)


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Compute the mel-frequency cepstra of samples at 16 kHz in [-1, 1]: float64 [13, columns], 100 columns a second.

    Davis and Mermelstein 1980, with the first coefficient replaced by the log energy and a sine lifter of 22.
    """
    sound = np.round(np.clip(samples.astype(np.float64) * FULL_SCALE, -FULL_SCALE, FULL_SCALE - 1))
    sharpened = np.append(sound[:1], sound[1:] - PRE_EMPHASIS * sound[:-1])
    columns = 1 + max(0, -(-(len(sharpened) - FRAME) // STEP))
    padded = np.pad(sharpened, (0, max(0, (columns - 1) * STEP + FRAME - len(sharpened))))
    framed = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP][:columns]
    power = np.abs(np.fft.rfft(framed, FFT)) ** 2 / FFT
    energy = _no_zeros(power.sum(1))
    bands = np.log(_no_zeros(power @ _filters().T))
    coefficients = np.arange(CEPSTRA)[:, None]
    cosines = np.cos(np.pi * coefficients * (2 * np.arange(FILTERS) + 1) / (2 * FILTERS)) * np.sqrt(2 / FILTERS)
    cosines[0] *= np.sqrt(0.5)
    cepstra = (bands @ cosines.T) * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER))
    cepstra[:, 0] = np.log(energy)
    return cepstra.T


def _filters() -> np.ndarray:
    """Give 26 triangles, evenly spaced in mel from 0 to 8 kHz and bound to whole bins: [26, 257]."""
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, FILTERS + 2) / 2595) - 1)
    bins = np.floor((FFT + 1) * edges / RATE)
    left, middle, right = bins[:-2, None], bins[1:-1, None], bins[2:, None]
    at = np.arange(FFT // 2 + 1)
    rising = (at >= left) & (at < middle)
    falling = (at >= middle) & (at < right)
    rise, fall = (at - left) / np.maximum(middle - left, 1), (right - at) / np.maximum(right - middle, 1)
    return np.where(rising, rise, 0) + np.where(falling, fall, 0)


def _no_zeros(values: np.ndarray) -> np.ndarray:
    return np.where(values == 0, np.finfo(float).eps, values)


@torch.inference_mode()
def features(network: SyncNetV2, frames: np.ndarray, samples: np.ndarray) -> tuple[Tensor, Tensor]:
    """Give what is seen and heard at each window: two float32 [N, 1024], of uint8 [T, H, W, 3] RGB and 16 kHz sound."""
    count = lse.windows(len(frames), len(samples) // (RATE // 25))
    cepstra = torch.from_numpy(mfcc(samples)).float()
    seen, heard = [], []
    for some in _batches(count):
        pictures = _pictures(frames[some.start : some.stop + lse.WINDOW - 1])
        starts = range(len(some))
        seen.append(network.see(torch.stack([pictures[:, at : at + lse.WINDOW] for at in starts])))
        heard.append(network.hear(torch.stack([cepstra[None, :, 4 * at : 4 * at + HEARD] for at in some])))
    if not seen:
        return torch.zeros(0, 1024), torch.zeros(0, 1024)
    return torch.cat(seen), torch.cat(heard)


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, BATCH):
        yield range(start, min(count, start + BATCH))


def _pictures(frames: np.ndarray) -> Tensor:
    """Make the network's pictures of frames: float32 [3, T, 224, 224], BGR, 0 to 255."""
    resized = np.stack([cv2.resize(frame, (EDGE, EDGE)) for frame in frames])
    return torch.from_numpy(np.ascontiguousarray(resized[..., ::-1].transpose(3, 0, 1, 2))).float()
