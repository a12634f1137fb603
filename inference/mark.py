"""Mark what was made: a C2PA manifest that says so, signed, with the recipe of the picture; and a label one can see.

    data = sign(png, "image/png", recipe)      # the same picture and recipe are the same bytes, every time
    sign_video(made, marked, recipe, version)  # from file to file, of any length
    read(path)                                 # -> Verdict: valid, invalid or absent; signer; recipe

Nothing here reaches the network: no timestamp, no remote manifest, no list of revoked certificates.
"""

import contextlib
import hashlib
import hmac
import io
import json
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import c2pa
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference import signer as signers
from inference import strangers
from inference.errors import UserError

MEDIA_TYPES = {".png": "image/png", ".mp4": "video/mp4"}
CREATED = "c2pa.created"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# Of what was filmed or drawn by somebody, and then changed.
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
RECIPE = "org.dramatis.recipe"
GENERATOR = "Dramatis"
OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_timestamp_trust": False, "verify_trust": True}
UNTRUSTED = "signingCredential.untrusted"
MAX_FILE_BYTES = 2 << 30
MAX_NAME = 100
HEAD_BYTES = 1 << 16
CORE = {
    "backing_store_memory_threshold_in_mb": 16,  # what is longer lies in a temporary file while it is signed
    # Of a film so much is hashed at a time, as leaves of a tree: one hash of the whole would hold 512 MB of it.
    "merkle_tree_chunk_size_in_kb": 4096,
}
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Verdict:
    """What a file says about itself: `state` is valid, invalid (changed since it was signed, or forged) or absent.

    Anybody can sign: `here` tells whether this machine did. The recipe is the signer's word.
    """

    state: str
    signer: str | None = None
    here: bool = False
    generated: bool = False
    recipe: dict | None = None
    reasons: tuple[str, ...] = ()


def sign(data: bytes, media_type: str, recipe: dict[str, Any], version: str, composite: bool = False) -> bytes:
    """Put a signed manifest with the recipe into a PNG or MP4, and prove that it reads as valid.

    The same bytes and recipe give the same bytes, with this machine's certificate: identifiers and salts come from
    the contents, no time is written, and Ed25519 draws no random numbers. `composite` says that it shows what was
    filmed or painted by others, changed here.
    """
    target = io.BytesIO()
    text = json.dumps(recipe, ensure_ascii=False, sort_keys=True)
    signed, fixed = _sign(io.BytesIO(data), target, media_type, text, version, _made(composite))
    marked = _once(target.getvalue(), signed.store, fixed)
    if media_type == "image/png":
        marked = _with_checksum(marked, fixed)
    _prove(io.BytesIO(marked), media_type, text)
    return marked


def sign_video(source: Path, target: Path, recipe: dict[str, Any], version: str, composite: bool = False) -> None:
    """Do the same for an MP4 of any length: from file to file, never whole in memory."""
    text = json.dumps(recipe, ensure_ascii=False, sort_keys=True)
    with open(source, "rb") as made, open(target, "w+b") as marked:
        signed, fixed = _sign(made, marked, "video/mp4", text, version, _made(composite))
        marked.seek(0)
        head = marked.read(HEAD_BYTES + len(signed.store))  # it stands behind the file's type, before what is long
        marked.seek(head.index(signed.store))
        marked.write(_once(signed.store, signed.store, fixed))
        marked.seek(0)
        _prove(marked, "video/mp4", text)


def read(path: Path) -> Verdict:
    """Read a file's mark; a file that cannot be read at all is a `UserError`, one without a mark is `absent`."""
    try:
        if not path.is_file():
            raise UserError(f"{path} is no file: give pictures or videos to verify")
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise UserError(f"{path} has {size} bytes, more than the {MAX_FILE_BYTES} that are looked at")
        with open(path, "rb") as stream:
            media_type = _sniff(stream)
            if media_type == "image/png" and _is_crumbled(stream, size):
                return Verdict("absent", reasons=("more chunks than a picture has",))
            return _read(stream, media_type)
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def label(picture: np.ndarray, text: str = "AI") -> np.ndarray:
    """Write a small label into the lower right corner of an HxWx3 picture: for eyes, as the manifest is for tools."""
    height, width = picture.shape[:2]
    font = ImageFont.load_default(size=max(8, min(height, width) // 20))
    left, top, right, bottom = font.getbbox(text)
    pad = max(1, (bottom - top) // 4)
    box = (width - (right - left) - 3 * pad, height - (bottom - top) - 3 * pad, width - pad, height - pad)
    image = Image.fromarray(picture)
    shade = Image.new("RGB", (max(1, box[2] - box[0]), max(1, box[3] - box[1])))
    image.paste(shade, box[:2], Image.new("L", shade.size, 150))
    ImageDraw.Draw(image).text((box[0] + pad - left, box[1] + pad - top), text, font=font, fill=(255, 255, 255))
    return np.asarray(image)


# -- signing -----------------------------------------------------------------------------------------------------------


def _sign(
    source: BinaryIO, target: BinaryIO, media_type: str, text: str, version: str, made: str
) -> tuple["_Signed", bytes]:
    """Write the file with a manifest, and give that manifest and the one to put in its place."""
    signer = signers.signer()
    secret = hashlib.sha256(signer.key.private_bytes_raw()).digest()
    identity = hmac.digest(secret, hashlib.file_digest(source, "sha256").digest() + text.encode(), "sha256")
    source.seek(0)
    signed = _sign_once(source, target, media_type, _manifest(text, media_type, identity, version, made), signer)
    return signed, _with_fixed_salts(signed, identity, signer)


def _made(composite: bool) -> str:
    return COMPOSITE if composite else SOURCE_TYPE


def _prove(stream: BinaryIO, media_type: str, text: str) -> None:
    verdict = _read(stream, media_type)
    if verdict.state != "valid" or not verdict.here or verdict.recipe != json.loads(text):
        raise RuntimeError(f"the manifest just written does not hold: {verdict}")


def _manifest(text: str, media_type: str, identity: bytes, version: str, made: str) -> dict:
    name = uuid.UUID(bytes=identity[:16], version=4)
    return {
        "claim_generator_info": [{"name": GENERATOR, "version": version}],
        "format": media_type,
        "label": f"urn:c2pa:{name}",
        "instance_id": f"xmp:iid:{name}",
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {"actions": [{"action": CREATED, "digitalSourceType": made}]},
            },
            # As text: the library gives lists of small numbers back as base64.
            {"label": RECIPE, "data": {"json": text}},
        ],
    }


@dataclass(frozen=True)
class _Signed:
    """What the library made: the manifest store, the bytes that were signed (the claim, wrapped), signature."""

    store: bytes
    claim: bytes
    signature: bytes


def _sign_once(source: BinaryIO, target: BinaryIO, media_type: str, manifest: dict, signer: signers.Signer) -> _Signed:
    signatures: list[tuple[bytes, bytes]] = []

    def callback(claim: bytes) -> bytes:
        signatures.append((claim, signer.key.sign(claim)))
        return signatures[-1][1]

    with contextlib.ExitStack() as stack:
        context = stack.enter_context(_context())
        native = stack.enter_context(c2pa.Signer.from_callback(callback, c2pa.C2paSigningAlg.ED25519, signer.chain))
        builder = stack.enter_context(c2pa.Builder.from_json(manifest, context))
        store = builder.sign(native, media_type, source, target)
    return _Signed(store, *signatures[-1])


def _with_fixed_salts(signed: _Signed, identity: bytes, signer: signers.Signer) -> bytes:
    """Replace the random salt of each assertion by one of the contents, its hash in the claim, and the signature.

    A salt keeps a redacted assertion from being guessed; one derived from the signer's secret does that as well.
    """
    store, claim = signed.store, signed.claim
    for start, end in list(_assertions(store)):
        old = store[start:end]
        at, size = _salt(old)
        new = old[:at] + hmac.digest(identity, old[:at], "sha256")[:size] + old[at + size :]
        store = store[:start] + new + store[end:]
        hashes = hashlib.sha256(old).digest(), hashlib.sha256(new).digest()
        store, claim = _once(store, *hashes), _once(claim, *hashes)
    return _once(store, signed.signature, signer.key.sign(claim))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the JUMBF boxes in a range (ISO/IEC 19566-5): kind, and start and end of what is inside."""
    while start < end:
        size = int.from_bytes(data[start : start + 4], "big")
        if not 8 <= size <= end - start:
            raise RuntimeError("the manifest just written is no row of JUMBF boxes")
        yield data[start + 4 : start + 8], start + 8, start + size
        start += size


def _assertions(store: bytes) -> Iterator[tuple[int, int]]:
    """Give the contents of each assertion: the store holds the manifest, that the assertions, those are hashed."""
    (_, start, end) = next(_boxes(store, 0, len(store)))
    (_, start, end) = [box for box in _boxes(store, start, end) if box[0] == b"jumb"][-1]
    for kind, first, last in _boxes(store, start, end):
        if kind == b"jumb" and b"c2pa.assertions\0" in store[first : first + 64]:
            yield from ((inner, until) for kind, inner, until in _boxes(store, first, last) if kind == b"jumb")


def _salt(assertion: bytes) -> tuple[int, int]:
    """Find the salt in the description box that an assertion begins with: offset and length."""
    _, start, end = next(_boxes(assertion, 0, len(assertion)))
    at = assertion.index(b"c2sh", start, end) + 4
    return at, end - at


def _once(data: bytes, old: bytes, new: bytes) -> bytes:
    if data.count(old) != 1 or len(old) != len(new):
        raise RuntimeError(f"{len(old)} bytes were expected once in what was signed, found {data.count(old)} times")
    return data.replace(old, new)


def _with_checksum(png: bytes, store: bytes) -> bytes:
    """Mend the checksum of the PNG chunk that holds the store."""
    start = png.index(store)
    end = start + len(store)
    return png[:end] + zlib.crc32(png[start - 4 : end]).to_bytes(4, "big") + png[end + 4 :]


# -- reading -----------------------------------------------------------------------------------------------------------


def _context() -> c2pa.Context:
    authority = signers.known_authority()
    trust = {"trust": {"user_anchors": authority}} if authority else {}
    thumbnail = {"builder": {"thumbnail": {"enabled": False}}}  # it would outweigh the picture
    return c2pa.Context.from_dict({"version": 1, "verify": OFFLINE, "core": CORE, **thumbnail, **trust})


def _sniff(stream: io.BufferedReader) -> str:
    """Tell the media type by the first bytes: a name says nothing."""
    head = stream.read(16)
    stream.seek(0)
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return "video/mp4" if head[4:8] == b"ftyp" else "image/png"


def _is_crumbled(stream: io.BufferedReader, size: int) -> bool:
    """Tell a PNG of far more chunks than its size needs: the library takes minutes for each million."""
    chunks, at = 0, len(PNG)
    while at < size and chunks <= 4096 + size // 1024:
        stream.seek(at)
        at += 12 + int.from_bytes(stream.read(4), "big")
        chunks += 1
    stream.seek(0)
    return at < size


def _read(stream: Any, media_type: str) -> Verdict:
    try:
        with _context() as context, c2pa.Reader(media_type, stream, context=context) as reader:
            state, results = reader.get_validation_state(), reader.get_validation_results() or {}
            manifest = reader.get_active_manifest() or {}
    except c2pa.C2paError.ManifestNotFound:
        return Verdict("absent")
    except (c2pa.C2paError.Io, c2pa.C2paError.NotSupported) as error:
        return Verdict("absent", reasons=(_clean(error),))  # no picture to begin with
    except c2pa.C2paError as error:
        return Verdict("invalid", reasons=(_clean(error),))
    failures = [failure["code"] for failure in results.get("activeManifest", {}).get("failure", [])]
    return Verdict(
        state="valid" if state in ("Valid", "Trusted") else "invalid",
        signer=_clean(manifest.get("signature_info", {}).get("common_name") or "somebody without a name"),
        here=state == "Trusted",
        generated=_says_generated(manifest),
        recipe=_recipe(manifest),
        reasons=tuple(_clean(code) for code in failures if code != UNTRUSTED),
    )


def _assertion(manifest: dict, name: str) -> dict:
    found = next((part.get("data") for part in manifest.get("assertions", []) if part.get("label") == name), None)
    return found if isinstance(found, dict) else {}


def _says_generated(manifest: dict) -> bool:
    actions = _assertion(manifest, "c2pa.actions.v2").get("actions")
    return isinstance(actions, list) and any(
        isinstance(action, dict) and action.get("digitalSourceType") in (SOURCE_TYPE, COMPOSITE) for action in actions
    )


def _recipe(manifest: dict) -> dict | None:
    """Read the recipe; whoever signed may have written anything there."""
    try:
        recipe = strangers.parse(_assertion(manifest, RECIPE).get("json") or "null")
    except (ValueError, TypeError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _clean(text: object) -> str:
    """Make a stranger's text fit for a terminal, and not long."""
    return strangers.plain(text)[:MAX_NAME]
