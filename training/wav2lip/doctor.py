"""Say why a sync expert would stay at a loss of 0.69 on a talk pack, before days are spent on it.

    python -m training.wav2lip.doctor corpus=talks
    python -m training.wav2lip.doctor corpus=talks doctor.expert=lipsync_expert.pth

0.69 is -log(1/2): the expert says "perhaps" to everything. Three trials tell why. A small expert is taught one batch by
heart (it can learn at all), then the pack (what it learned holds for clips that it did not see), then the pack with
every clip heard as another is seen (the control: nothing can be learned there). What the first two tell apart from the
third is what there is to learn. The offsets at which an expert finds sound and picture closest show whether clips are
out of sync; one that all clips share is seen by an expert from elsewhere alone, for the one taught here takes it for
sync. The figures go to data/metrics/<corpus>/doctor.json.
"""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from omegaconf import DictConfig
from pydantic import Field
from torch import nn

from inference import devices, offsets
from inference.errors import UserError
from preprocessing import talkpacks
from preprocessing.talkpacks import EDGE, Clip, Talks
from scraping import stage
from training import endless
from training.wav2lip import data, starting, syncnet
from training.wav2lip.data import Group

DATA = Path("data")
UNCHANGED = data.Change(mirror=0, colour=0, shift=0, loudness=0)
BY_HEART = 0.9  # accuracy on the one batch
LEARNED = 0.1  # of accuracy above the control
FEW_SPEAKERS = 2
NEAR = 1  # frames


class Settings(stage.Settings):
    pack: Literal["interim", "processed"]
    expert: str | None
    device: Literal["auto", "cpu", "cuda"]
    threads: int | None = Field(ge=1)
    seed: int = Field(ge=0)
    batch_steps: int = Field(ge=1)
    steps: int = Field(ge=1)
    clips: int = Field(ge=1)
    held_out: int = Field(ge=1)
    silence: float = Field(ge=-4, le=4)
    still: float = Field(ge=0)
    learner: syncnet.Settings


@dataclasses.dataclass(frozen=True)
class Shuffled(Talks):
    """A pack in which every clip is heard as the next one is seen."""

    def mel(self, clip: Clip) -> np.ndarray:
        order = [each.id for each in self.clips]
        return super().mel(self.clips[(order.index(clip.id) + 1) % len(order)])


@stage.command("training/wav2lip/doctor")
def main(config: DictConfig) -> None:
    settings = stage.settings(config, "doctor", Settings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    folder = DATA / settings.pack / config.corpus
    talks = talkpacks.read(folder)
    if len(talks.clips) < FEW_SPEAKERS:
        raise UserError(f"{folder} holds {len(talks.clips)} clips: there is nothing to compare, prepare more talks")
    figures = examine(talks, settings)
    figures["verdict"] = verdict(figures)
    for line in figures["verdict"]:
        print(line, flush=True)
    target = DATA / "metrics" / config.corpus / "doctor.json"
    stage.write_atomically(target, (json.dumps(figures, indent=1) + "\n").encode())


def examine(talks: Talks, settings: Settings) -> dict:
    """Count, teach and compare."""
    shuffled = Shuffled(**{field.name: getattr(talks, field.name) for field in dataclasses.fields(Talks)})
    figures = counted(talks, settings)
    batch = next(iter(groups(talks, settings)))
    by_heart = taught(itertools.repeat(batch), settings.batch_steps, settings, "one batch")
    figures["one_batch"] = by_heart.take_seen()["accuracy"]
    learned = taught(groups(talks, settings), settings.steps, settings, "the pack")
    control = taught(groups(shuffled, settings), settings.steps, settings, "shuffled sounds")
    figures["held_out"], figures["held_out_shuffled"] = (
        asked(learned, talks, settings), asked(control, shuffled, settings)
    )  # fmt: skip
    network = learned.expert.eval()
    if settings.expert:
        network = starting.expert(settings.expert)[0].to(devices.chosen(settings.device, "doctor.device"))
    figures["offsets_by"] = settings.expert or "the expert taught here"
    figures["offsets"] = found(network, talks, settings)
    return figures


def counted(talks: Talks, settings: Settings) -> dict:
    """Count what can be counted without a network."""
    clips = data.heard(talks, "train", settings.silence)
    windows = sum(each.windows for each in clips)
    return {
        "fingerprint": talks.fingerprint,
        "clips": len(talks.clips),
        "train": len(clips),
        "speakers": len({each.clip.speaker for each in clips}),
        "audible": round(sum(int(each.audible.sum()) for each in clips) / max(1, windows), 4),
        "still": sum(motion(talks, each.clip) < settings.still for each in clips),
    }


def motion(talks: Talks, clip: Clip) -> float:
    """Give by how many levels of 255 the mouth's pixels change from frame to frame, on average."""
    lower = talks.frames(clip)[:, EDGE // 2 :].astype(np.int16)
    return float(np.abs(np.diff(lower, axis=0)).mean()) if len(lower) > 1 else 0.0


def groups(talks: Talks, settings: Settings) -> Iterable[Group]:
    learner = settings.learner
    drawn = data.Groups(
        talks, "train", learner.group, lambda _: learner.apart.last, settings.silence, UNCHANGED, settings.seed
    )
    return endless.loader(drawn, learner.batch // learner.group, start=0)


def taught(batches: Iterable[Group], steps: int, settings: Settings, label: str) -> syncnet.Expert:
    """Teach a new small expert; what it watched last is that of the last tenth of the steps."""
    model = syncnet.Expert(settings.learner, settings.seed).to(devices.chosen(settings.device, "doctor.device"))
    optimizer = model.optimizer_of(model.expert)
    model.train()
    for batch in stage.progress(itertools.islice(batches, steps), steps, f"doctor: {label}"):
        if model.steps == steps - max(1, steps // 10):
            model.take_seen()
        optimizer.zero_grad()
        model.loss_of(Group(*(each.to(model.device) for each in batch))).backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.learner.clip or torch.inf)
        for group in optimizer.param_groups:
            group["lr"] = settings.learner.rate.at(model.steps)
        optimizer.step()
        model.steps += 1
    return model


def asked(model: syncnet.Expert, talks: Talks, settings: Settings) -> dict[str, float]:
    """Ask about clips that were not taught: those of val, or test where there are none."""
    learner = settings.learner
    for split in ("val", "test"):
        held_out = data.held_out_groups(
            talks, split, settings.held_out, learner.group, learner.apart.last, settings.silence
        )
        if len(held_out):
            return model.held_out(data.batches(held_out, max(1, learner.batch // learner.group)))
    raise UserError("no clip of val or test is long enough to ask about: prepare more talks, of other speakers")


def found(expert: nn.Module, talks: Talks, settings: Settings) -> dict:
    """Look for the offset of clips never taught first, then of others."""
    order = sorted(talks.clips, key=lambda clip: ("val", "test", "train").index(clip.split))
    chosen = [clip for clip in order if clip.frames > offsets.SPAN][: settings.clips]
    reads = [offsets.read(offsets.sweep(expert, talks.frames(clip), talks.mel(clip))) for clip in chosen]
    counts = Counter(offset for offset, _ in reads)
    return {
        "clips": len(reads),
        "near": round(sum(abs(offset) <= NEAR for offset, _ in reads) / max(1, len(reads)), 4),
        "most_often": counts.most_common(1)[0][0] if counts else 0,
        "confidence": round(float(np.median([confidence for _, confidence in reads])), 4) if reads else 0.0,
        "histogram": {str(offset): counts[offset] for offset in sorted(counts)},
    }


def verdict(figures: dict) -> list[str]:
    """Say in lines what the figures mean, the first that is wrong first."""
    true, control = (figures[key]["held_out_accuracy"] for key in ("held_out", "held_out_shuffled"))
    near = figures["offsets"]["near"]
    said = [
        f"{figures['train']} clips of {figures['speakers']} speakers to train on, {figures['audible']:.0%} audible",
        f"one batch by heart: accuracy {figures['one_batch']:.2f} (expected {BY_HEART} or more)",
        f"clips not seen: accuracy {true:.2f}; with shuffled sounds, where nothing can be learned: {control:.2f}",
        f"offsets by {figures['offsets_by']}: {near:.0%} of {figures['offsets']['clips']} clips within {NEAR} frame "
        f"of 0; {drawn(figures['offsets']['histogram'])}",
    ]
    return said + [f"WRONG: {line}" for line in complaints(figures)] or said


def complaints(figures: dict) -> list[str]:
    true, control = (figures[key]["held_out_accuracy"] for key in ("held_out", "held_out_shuffled"))
    learned, wrong = true - control >= LEARNED, []
    offsets_seen = figures["offsets"]
    if figures["one_batch"] < BY_HEART:
        wrong.append(
            "not even one batch is learned: the pictures do not change, the sound is silent, or rate.peak is off"
        )
    if figures["audible"] < 1 / 2:
        wrong.append(f"only {figures['audible']:.0%} of the windows are audible: is the sound that of the videos?")
    if figures["still"]:
        wrong.append(f"the mouths of {figures['still']} clips do not move: still pictures teach nothing")
    if figures["speakers"] <= FEW_SPEAKERS:
        wrong.append(f"{figures['speakers']} speakers: the expert would learn their faces; it needs tens to hundreds")
    if not learned and figures["one_batch"] >= BY_HEART:
        wrong.append(
            "what is learned by heart holds for no other clip, as with shuffled sounds: sound and picture do not "
            "belong together (files mixed up, another frame rate, offsets that differ), or the trial was too short "
            "(doctor.steps)"
        )
    if learned and offsets_seen["most_often"] and offsets_seen["near"] < 1 / 2:
        wrong.append(
            f"most clips are heard {offsets_seen['most_often']} frames off: shift them (python -m preprocessing.sync)"
        )
    elif learned and offsets_seen["near"] < 1 / 2:
        wrong.append("the offsets of clips differ: run python -m preprocessing.sync, and train on pack=processed")
    return wrong


def drawn(histogram: dict[str, int]) -> str:
    return ", ".join(f"{int(offset):+d}: {count}" for offset, count in histogram.items()) or "none found"


if __name__ == "__main__":
    main()
