"""Put the clips of a corpus in sync: a trained expert finds by how much sound and picture are apart.

python -m preprocessing.sync corpus=talks
python -m preprocessing.sync corpus=talks sync.expert=data/starters/syncnet sync.confidence=0.2

What it is unsure about is left out, with the reason; silent clips have no offset and stay as they are.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig
from pydantic import Field
from torch import nn

from inference import audio, bundle, devices, offsets
from inference.errors import UserError
from preprocessing import talkpacks
from preprocessing.talkpacks import FPS, Clip, Content, Reject, Talks
from scraping import stage


class Settings(stage.Settings):
    expert: str
    device: Literal["auto", "cpu", "cuda"]
    span: int = Field(ge=1, le=100)
    most: int = Field(ge=0)
    confidence: float = Field(ge=0)
    speech: float = Field(ge=0, le=1)
    frames: int = Field(ge=offsets.FRAMES)


@stage.command("preprocessing/sync")
def main(config: DictConfig) -> None:
    """Run the stage on a composed config: data/interim and an expert -> data/processed."""
    settings = stage.settings(config, "sync", Settings)
    if settings.most > settings.span:
        raise UserError(f"sync.most: {settings.most} frames, but only {settings.span} (sync.span) are looked at")
    talks = talkpacks.read(Path("data/interim") / config.corpus)
    if not talks.clips:
        raise UserError(f"data/interim/{config.corpus} holds no clip: its rejects.parquet says why")
    expert = bundle.load(settings.expert).require("sync")
    print_of = stage.fingerprint(talks.fingerprint, expert.sha256, settings.span, stage.code_version())
    with stage.work("sync", config.corpus, config.world, print_of) as work:
        journal = stage.Journal(work / "journal.jsonl")
        try:
            sweep(talks, expert.network(), journal, settings)
            found = {clip.id: (journal[clip.id]["offset"], journal[clip.id]["confidence"]) for clip in talks.clips}
        finally:
            journal.close()
        before = talkpacks.rejects(Path("data/interim") / config.corpus)
        publish(talks, found, before, settings, expert, work, config.corpus)


def sweep(talks: Talks, network: nn.Module, journal: stage.Journal, settings: Settings) -> None:
    """Find the offset of each clip that no run before has looked at."""
    network = network.to(devices.chosen(settings.device, "sync.device"))
    pending = [clip for clip in talks.clips if clip.id not in journal]
    for clip in stage.progress(pending, len(talks.clips), "sweeping", len(talks.clips) - len(pending)):
        distances = offsets.sweep(network, talks.frames(clip), talks.mel(clip), settings.span)
        offset, confidence = offsets.read(distances)
        journal.append(clip.id, {"offset": offset, "confidence": confidence})


def judge(clip: Clip, offset: int, confidence: float, settings: Settings) -> Clip | Reject:
    """Give a clip its offset, or the reason for which it is left out."""
    if clip.speech < settings.speech:
        return replace(clip, confidence=confidence)
    if confidence < settings.confidence:
        detail = f"confidence {confidence:.2f}, {settings.confidence:.2f} needed: the expert hears no one moment"
        return Reject(clip.source, "unsure-of-sync", detail)
    if abs(offset) > settings.most:
        return Reject(clip.source, "far-out-of-sync", f"sound and picture are {offset} frames apart")
    if clip.frames - abs(offset) < settings.frames:
        return Reject(clip.source, "too-short", f"{clip.frames - abs(offset)} frames are left once it is in sync")
    return replace(clip, av_offset=offset, confidence=confidence)


def shift(clip: Clip, content: Content) -> tuple[Clip, Content]:
    """Move the sound of a clip to its picture by the offset found, and cut off what is left without counterpart.

    Of sound that comes later that is the last of the picture, of sound that comes earlier the first.
    """
    offset = clip.av_offset or 0
    first, left = max(0, -offset), clip.frames - abs(offset)
    begin = round(max(0, offset) * audio.MEL_RATE / FPS)
    columns = min(audio.column(left, FPS) + 1, content.mel.shape[1] - begin)
    pictures = slice(first, first + left)
    moved = Content(content.frames[pictures], content.mel[:, begin : begin + columns], content.boxes[pictures])
    start = clip.start + first / FPS
    return replace(clip, frames=left, columns=columns, start=start, shifted=clip.shifted + offset), moved


def publish(
    talks: Talks,
    found: dict[str, tuple[int, float]],
    before: Sequence[Reject],
    settings: Settings,
    expert: bundle.Bundle,
    work: Path,
    corpus: str,
) -> None:
    """Write the pack of what is in sync and move it to its place."""
    judged = [judge(clip, *found[clip.id], settings) for clip in talks.clips]
    kept = [one for one in judged if isinstance(one, Clip)]
    rejects = [one for one in judged if isinstance(one, Reject)]
    report(kept, rejects)
    clips = [shift(clip, _content(talks, clip))[0] for clip in kept]
    built, target = work / "out", Path("data/processed") / corpus
    shutil.rmtree(built, ignore_errors=True)
    print_of = stage.fingerprint(talks.fingerprint, expert.sha256, [(clip.id, clip.av_offset) for clip in clips])
    about = {"name": expert.name, "sha256": expert.sha256}
    talkpacks.write(built, clips, _moved(talks, kept), sorted([*before, *rejects]), print_of, about)
    stage.publish(built, target)
    if not clips:
        raise UserError(
            f"no clip of {corpus} is in sync: {target / 'rejects.parquet'} says why; train the expert longer"
        )


def _moved(talks: Talks, kept: Sequence[Clip]) -> Iterator[Content]:
    return (shift(clip, _content(talks, clip))[1] for clip in kept)


def _content(talks: Talks, clip: Clip) -> Content:
    return Content(talks.frames(clip), talks.mel(clip), talks.boxes(clip))


def report(kept: Sequence[Clip], rejects: Sequence[Reject]) -> None:
    """Print how far sound and picture were apart."""
    counts = Counter(clip.av_offset for clip in kept if clip.av_offset is not None)
    spread = ", ".join(f"{offset:+d}: {counts[offset]}" for offset in sorted(counts))
    reasons = Counter(reject.reason for reject in rejects).most_common()
    why = ", ".join(f"{count} {reason}" for reason, count in reasons) or "none"
    silent = sum(clip.av_offset is None for clip in kept)
    print(f"kept {len(kept)} clips, {silent} of them silent; rejected: {why}; offsets in frames {spread}", flush=True)


if __name__ == "__main__":
    main()
