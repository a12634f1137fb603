"""The way of one picture: decode, detect, crop, matte, gate, finish; each step cheaper than the next."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from PIL import Image
from pydantic import Field

from inference import framing, media
from inference.errors import UserError
from inference.faces import FaceDetector
from inference.framing import Box, Crop
from preprocessing import cropping, matting, packing, quality
from preprocessing.quality import Rejected
from scraping import stage

if TYPE_CHECKING:
    from preprocessing.person import PersonDetector

SMOOTHING = 0.005  # of the picture's width: takes brush strokes away and leaves shapes
OWN_ALPHA = (0.02, 0.98)  # between these shares of transparent pixels, a picture's own alpha is its matte
Share = Field(ge=0, le=1)


class Duplicates(stage.Settings):
    phash_bits: int = Field(ge=0, le=16)
    alikeness: float = Share


class PersonSettings(stage.Settings):
    longest: int = Field(ge=64, multiple_of=32)
    score: float = Share
    padding: float = Field(ge=0, le=0.5)


class FaceSettings(stage.Settings):
    longest: tuple[int, ...] = Field(min_length=1)
    score: float = Share
    side: float = Field(ge=1)
    level: float = Share
    lift: float = Share


class MatteSettings(stage.Settings):
    model: Literal["u2netp", "u2net"]
    backend: Literal["openvino", "onnx", "rembg"]
    second_look: float = Field(ge=0)


class Contact(stage.Settings):
    top: float = Share
    sides: float = Share
    bottom: float = Share


class Gates(stage.Settings):
    scale: float = Field(gt=0)
    blur: float = Share
    confidence: float = Share
    fraction: tuple[float, float]
    soft: float = Field(ge=0)
    fit: float = Share
    contact: Contact


class Settings(stage.Settings):
    subject: Literal["body", "face", "matte"]
    background: Literal["white", "transparent", "keep"]
    width: int = Field(ge=8, le=4096)
    tall: float = Field(gt=0, le=8)
    workers: int = Field(ge=1, le=256)
    max_pixels: int = Field(gt=0)
    decode_longest: int = Field(ge=64)
    duplicates: Duplicates
    person: PersonSettings
    face: FaceSettings
    matte: MatteSettings
    gates: Gates

    @property
    def height(self) -> int:
        return round(self.width * self.tall)


@dataclass(frozen=True)
class Task:
    """A stored picture to clean."""

    sha256: str
    file: Path


@dataclass(frozen=True)
class Cleaned:
    """The row for the table of decisions and, where the picture was kept, its pixels and its matte as PNG."""

    row: dict
    picture: np.ndarray | None = None
    matte: bytes | None = None


@dataclass(frozen=True)
class Subject:
    """Where the subject is in the decoded picture, and the matte of the whole picture where that came first."""

    box: Box
    crop: Crop
    others: tuple[Box, ...] = ()
    whole_matte: matting.Matte | None = None


class Cleaner:
    """Everything one process needs to clean pictures; the networks are opened once."""

    def __init__(self, settings: Settings) -> None:
        cv2.setNumThreads(1)
        self.settings = settings
        self.matter = matting.open_matter(settings.matte.backend, settings.matte.model)
        if settings.subject == "face":
            self.faces = FaceDetector(settings.face.longest, settings.face.score)
        elif settings.subject == "body":
            self.people = _person_detector(settings.person)

    def __call__(self, task: Task) -> Cleaned:
        row: dict = {"status": "kept", "reason": None, "detail": None}
        try:
            picture, matte = self._clean(read(task), row)
        except (media.MediaError, Rejected) as error:
            row.update(status="rejected", reason=error.reason, detail=str(error))
            return Cleaned(row)
        return Cleaned(row, picture, packing.png(matte))

    def _clean(self, data: bytes, row: dict) -> tuple[np.ndarray, np.ndarray]:
        settings, gates = self.settings, self.settings.gates
        shown = media.probe(data)
        self._check_scale("the picture", max(shown.width * settings.tall, shown.height))
        image = media.decode(data, settings.max_pixels, settings.decode_longest)
        reduction = shown.width / image.width  # of a JPEG decoded at a fraction of its scale
        alpha = own_alpha(image)
        colour = np.asarray(media.flatten(image))
        subject = self._find(colour, alpha, row, reduction)
        row["crop"] = [round(value * reduction) for value in subject.crop]
        self._check_scale("the subject", (subject.crop[3] - subject.crop[1]) * reduction)
        cropped = framing.cut(colour, subject.crop)
        row["blur"] = self._blur(cropped)
        if row["blur"] > gates.blur:
            raise Rejected("blurred", f"blur {row['blur']:.2f} at {settings.width} pixels, more than {gates.blur}")
        coverage = self._matte(cropped, colour, alpha, subject, row)
        self._check_matte(coverage, subject, colour.shape, row)
        spread = matting.spread(coverage, cropped.shape[1], cropped.shape[0])
        finished = cropping.finish(cropped, spread, settings.width, settings.height, settings.background)
        return finished, coverage

    def _check_scale(self, what: str, height: float) -> None:
        least = self.settings.height * self.settings.gates.scale
        if height < least:
            raise Rejected("too-small", f"{what} is {height:.0f} pixels high as framed, less than {least:.0f}")

    def _find(self, colour: np.ndarray, alpha: np.ndarray | None, row: dict, reduction: float) -> Subject:
        """Find the subject and frame it; the boxes in the row are in pixels of the full upright picture."""
        settings = self.settings
        if settings.subject == "face":
            faces = self.faces.detect(colour)
            if not faces:
                raise Rejected("no-face", f"no face with a score of {settings.face.score}")
            box, row["score"] = faces[0].box, faces[0].score
            row["face_box"] = [value * reduction for value in box]
            crop = framing.around_face(faces[0], settings.tall, settings.face.side, settings.face.level)
            return Subject(box, framing.lift(crop, colour.shape[0], settings.face.lift))
        whole, others = None, ()
        if settings.subject == "body":
            people = self.people.detect(colour)
            if not people:
                raise Rejected("no-person", f"nobody with a score of {settings.person.score}")
            box, row["score"] = people[0].box, people[0].score
            others = tuple(person.box for person in people[1:])
        else:
            whole = matting.Matte(_small(alpha), 1.0) if alpha is not None else self.matter(Image.fromarray(colour))
            row["score"] = whole.confidence
            self._check_confidence(whole)
            height, width = colour.shape[:2]
            edges = quality.extent(whole.coverage)
            if edges is None:
                raise Rejected("no-foreground", "nothing solid in the matte")
            box = (edges[0] * width, edges[1] * height, edges[2] * width, edges[3] * height)
        row["person_box"] = [value * reduction for value in box]
        return Subject(box, cropping.around_body(box, settings.tall, settings.person.padding), others, whole)

    def _blur(self, cropped: np.ndarray) -> float:
        """Measure blur at the scale of the finished picture: what disappears in the resize does not matter."""
        settings = self.settings
        shrink = min(1.0, settings.height / cropped.shape[0])
        grey = cv2.cvtColor(cropped, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else grey
        return quality.blur(small)

    def _matte(
        self, cropped: np.ndarray, colour: np.ndarray, alpha: np.ndarray | None, subject: Subject, row: dict
    ) -> np.ndarray:
        """Matte the crop: by the picture's own alpha, by the matte that found the subject, or by the network."""
        height, width = colour.shape[:2]
        if alpha is not None:
            coverage, confidence, row["matte_source"] = _small(framing.cut(alpha, subject.crop)), 1.0, "alpha"
        elif subject.whole_matte is not None:
            whole = matting.spread(subject.whole_matte.coverage, width, height)
            coverage, confidence = _small(framing.cut(whole, subject.crop)), subject.whole_matte.confidence
            row["matte_source"] = self.settings.matte.model
        else:
            matte = self.matter(Image.fromarray(cropped))
            self._check_confidence(matte)
            confidence, row["matte_source"] = matte.confidence, self.settings.matte.model
            coverage = self._best_look(matte.coverage, colour, subject)
        row["matte_max"] = confidence
        coverage = cropping.inside(coverage, subject.crop, width, height)
        box = cropping.relative(subject.box, subject.crop)
        if self.settings.subject == "face":  # the rest of the person reaches far out of the face's box
            return matting.without_strange_parts(coverage, box)
        return matting.keep_subject(coverage, box, [cropping.relative(other, subject.crop) for other in subject.others])

    def _best_look(self, first: np.ndarray, colour: np.ndarray, subject: Subject) -> np.ndarray:
        """Where the first matte is unclear or misses the subject, let the network look again, and keep the best."""
        fit = self._fit(first, colour.shape, subject)
        if quality.softness(first) <= self.settings.matte.second_look and fit >= self.settings.gates.fit:
            return first
        looks = (first, *self._second_looks(first, colour, subject))
        return max(looks, key=lambda look: self._fit(look, colour.shape, subject) - quality.softness(look))

    def _second_looks(self, first: np.ndarray, colour: np.ndarray, subject: Subject) -> tuple[np.ndarray, ...]:
        """Matte another frame: a person alone, without the street; a portrait whole, without its brush strokes."""
        height, width = colour.shape[:2]
        if self.settings.subject == "body":
            frame = cropping.widened(subject.box, matting.BESIDE)
            closer, within = self._look(colour, frame, subject.crop)
            return (np.where(within, closer, first),)
        smooth = cv2.GaussianBlur(colour, (0, 0), max(0.5, SMOOTHING * width))
        look, _ = self._look(smooth, (0, 0, width, height), subject.crop)
        return look, np.maximum(first, look)

    def _look(self, colour: np.ndarray, frame: Crop, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
        """Matte a frame; give the matte over the crop, and where in the crop the frame lies."""
        matte = self.matter(Image.fromarray(framing.cut(colour, frame)))
        solid = np.full_like(matte.coverage, 255)
        return matting.carried(matte.coverage, frame, crop), matting.carried(solid, frame, crop) > 0

    def _check_confidence(self, matte: matting.Matte) -> None:
        if matte.confidence < self.settings.gates.confidence:
            detail = f"the matte's raw confidence is {matte.confidence:.2f}, less than {self.settings.gates.confidence}"
            raise Rejected("no-foreground", detail)

    def _check_matte(self, coverage: np.ndarray, subject: Subject, shape: tuple[int, ...], row: dict) -> None:
        gates = self.settings.gates
        solid = float((coverage >= 128).mean())
        row["matte_fraction"] = solid
        low, high = gates.fraction
        if not low <= solid <= high:
            detail = f"the matte fills {solid:.1%} of the crop, expected {low:.0%} to {high:.0%}"
            raise Rejected("matte-fraction", detail)
        row["matte_soft"] = soft = quality.softness(coverage)
        if soft > gates.soft:
            raise Rejected("unclear-matte", f"{soft:.2f} uncertain pixels to each solid one, more than {gates.soft}")
        row["matte_fit"] = fit = self._fit(coverage, shape, subject)
        if fit < gates.fit:
            raise Rejected("matte-off-subject", f"matte and detection agree to {fit:.2f}, less than {gates.fit}")
        row["contact"] = quality.contact(coverage, subject.crop, shape[1], shape[0])
        for side, share in row["contact"].items():
            limit = getattr(gates.contact, side, gates.contact.sides)
            if share > limit:
                detail = (
                    f"the picture's {side} edge cuts the subject over {share:.0%} of the crop, more than {limit:.0%}"
                )
                raise Rejected("cut-off", detail)

    def _fit(self, coverage: np.ndarray, shape: tuple[int, ...], subject: Subject) -> float:
        """Tell how well matte and detection agree: overlap of the boxes of a body, coverage of a face and its chest."""
        box = cropping.relative(subject.box, subject.crop)
        if self.settings.subject == "face":
            ground = cropping.relative((0, 0, shape[1], shape[0]), subject.crop)[3]
            return quality.bust_within(coverage, box, min(ground, 1.0))
        edges = quality.extent(coverage)
        return 0.0 if edges is None else quality.overlap(edges, box)


def _person_detector(settings: PersonSettings) -> "PersonDetector":
    """Open the detector of people, which is an extra of its own licence; torch takes seconds, and faces need none."""
    try:
        from preprocessing.person import PersonDetector
    except ModuleNotFoundError as error:
        raise UserError(
            f"images.subject=body needs {error.name} (extra `yolo`, AGPL-3.0), which is not installed:"
            " uv pip install -e '.[yolo]', or take images.subject=matte"
        ) from None
    return PersonDetector(settings.longest, settings.score)


def own_alpha(image: Image.Image) -> np.ndarray | None:
    """Give the picture's own matte, HxW uint8, where its alpha looks like one."""
    if image.mode != "RGBA":
        return None
    alpha = np.asarray(image.getchannel("A"))
    low, high = OWN_ALPHA
    return alpha if low <= float((alpha < 128).mean()) <= high else None


def _small(alpha: np.ndarray) -> np.ndarray:
    """Bring an alpha channel to the mattes' own resolution."""
    side = (matting.SIDE, matting.SIDE)
    shrinks = max(alpha.shape) > matting.SIDE
    return cv2.resize(alpha, side, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def read(task: Task) -> bytes:
    """Give the bytes that were scraped; `Rejected` where they are gone or are others."""
    try:
        data = task.file.read_bytes()
    except FileNotFoundError:
        raise Rejected("missing-file", f"{task.file.name} is not there any more") from None
    if hashlib.sha256(data).hexdigest() != task.sha256:
        raise Rejected("changed-file", f"{task.file.name} is not what was scraped: its sha256 differs")
    return data
