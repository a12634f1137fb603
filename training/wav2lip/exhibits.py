"""What a bundle of lips shows of itself: golden inputs with what is made of them, and a preview of clips held out."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from inference import golden, offsets
from inference.networks.wav2lip import EDGE, FRAMES, face_input, sync_input
from preprocessing.packing import png
from preprocessing.talkpacks import Clip, Talks
from scraping import stage

COARSE = 6  # fields of a drawn picture to each side
TILE = 12  # pixels of one offset of one clip


class Drawn(stage.Settings):
    """Inputs that are drawn from a seed: nobody's face or voice."""

    count: int = Field(ge=1, le=golden.MAX_INPUTS)
    seed: int = Field(ge=0)


class Preview(stage.Settings):
    clips: int = Field(ge=0)
    pictures: int = Field(ge=1)  # of each clip


def drawn(settings: Drawn) -> tuple[Tensor, Tensor]:
    """Draw mels [N, 80, 16] and RGB uint8 [N, 5, 96, 96, 3]: soft fields of colour that move a little."""
    generator = torch.Generator().manual_seed(settings.seed)
    count = settings.count
    mel = F.interpolate(torch.rand(count, 1, 10, 4, generator=generator), (80, 16), mode="bilinear")[:, 0] * 8 - 4
    still = torch.rand(count, 1, 3, COARSE, COARSE, generator=generator)
    moving = torch.rand(count, FRAMES, 3, COARSE, COARSE, generator=generator)
    fields = (0.8 * still + 0.2 * moving).flatten(0, 1) * 255
    pictures = F.interpolate(fields, (EDGE, EDGE), mode="bilinear").round().to(torch.uint8)
    return mel, pictures.unflatten(0, (count, FRAMES)).movedim(2, -1).contiguous()


def answered(task: str, network: nn.Module, settings: Drawn) -> dict[str, Tensor]:
    """Give the golden inputs with what a network makes of them, as `golden.difference` wants them."""
    mel, pictures = drawn(settings)
    if task == "sync":
        return {"mel": mel, "frames": pictures, **golden.embeddings(network, mel, pictures)}
    target, reference = pictures[:, 0].clone(), pictures[:, -1].clone()
    image = torch.from_numpy(golden.lips(network, mel, target, reference))
    return {"mel": mel, "target": target, "reference": reference, "image": image}


def inputs(task: str, talks: Talks | None, count: int, seed: int, lead: int) -> tuple[tuple[Tensor, Tensor], str]:
    """Give what a network of the task takes, [count, ..] each, and say of what it was made.

    Moments of held-out clips, spread evenly; without talks, what `drawn` gives.
    """
    clips = held_out(talks) if talks else []
    if not clips:
        mel, pictures = drawn(Drawn(count=min(count, golden.MAX_INPUTS), seed=seed))
        said = "inputs drawn from a seed"
        targets, references = pictures, pictures[:, -1]
    else:
        moments = [(clips[number % len(clips)], (number + 0.5) / count) for number in range(count)]
        places = [(clip, int(share * (clip.frames - FRAMES + 1))) for clip, share in moments]
        mel = torch.from_numpy(
            np.stack([talks.window(clip, at + (lead if task == "lipsync" else 0)) for clip, at in places])
        )
        targets = torch.from_numpy(np.stack([talks.frames(clip, at, FRAMES) for clip, at in places]))
        references = torch.from_numpy(np.stack([talks.frames(clip, away(clip, at), 1)[0] for clip, at in places]))
        said = f"moments of {len(clips)} clips held out"
    if task == "sync":
        return (mel[:, None], sync_input(targets)), said
    return (mel[:, None], face_input(targets[:, 0], references).transpose(0, 1).contiguous()), said


def held_out(talks: Talks) -> list[Clip]:
    """Give the clips that no training saw, those in which most is said first."""
    clips = [clip for clip in talks.of("test") or talks.of("val") if clip.frames >= FRAMES]
    return sorted(clips, key=lambda clip: (-clip.speech, clip.id))


def away(clip: Clip, frame: int) -> int:
    """Give the frame half a clip away, which shows who speaks."""
    return (frame + clip.frames // 2) % clip.frames


def preview(task: str, network: nn.Module, clips: Sequence[Clip], talks: Talks, pictures: int, lead: int) -> bytes:
    """Draw what a network does on clips, as a PNG."""
    if task == "sync":
        return png(np.concatenate([offsets_of(network, talks, clip) for clip in clips]))
    return png(np.concatenate([spoken(network, talks, clip, pictures, lead) for clip in clips]))


def offsets_of(network: nn.Module, talks: Talks, clip: Clip) -> np.ndarray:
    """Show the distances of a clip at the offsets -15 .. 15 as a row of fields, the nearest the brightest."""
    distances = offsets.sweep(network, talks.frames(clip), talks.mel(clip))
    least, most = np.nanmin(distances), np.nanmax(distances)
    light = np.nan_to_num(1 - (distances - least) / max(most - least, 1e-6))
    row = (255 * light).round().astype(np.uint8)
    return np.repeat(np.kron(row[None], np.ones((TILE, TILE), np.uint8))[..., None], 3, axis=2)


def spoken(network: nn.Module, talks: Talks, clip: Clip, pictures: int, lead: int) -> np.ndarray:
    """Show moments of a clip over what was drawn to their sound, the reference half a clip away: [192, 96 * n, 3]."""
    at = [int((number + 0.5) * clip.frames / pictures) for number in range(pictures)]
    mel = torch.from_numpy(np.stack([talks.window(clip, frame + lead) for frame in at]))
    true = np.stack([talks.frames(clip, frame, 1)[0] for frame in at])
    reference = np.stack([talks.frames(clip, away(clip, frame), 1)[0] for frame in at])
    made = golden.lips(network, mel, torch.from_numpy(true), torch.from_numpy(reference))
    return np.concatenate([np.concatenate(list(row), axis=1) for row in (true, made)])
