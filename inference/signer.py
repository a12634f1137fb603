"""This machine's signing certificate: made on first use, kept in the user's config folder, never sent anywhere.

An Ed25519 key, because its signatures are a function of what is signed: the same picture signed twice is the same
bytes. The authority that issues the certificate signs this once and is thrown away with its key.
"""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from inference.errors import UserError, one_line

YEARS = 20
# What a key may do, as X.509 spells it; all of them must be said.
USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Signer:
    """A key and its certificates in PEM, the signing one first and its authority last."""

    key: Ed25519PrivateKey
    chain: str
    authority: str
    name: str


def folder() -> Path:
    """Give the folder of the user's config."""
    try:
        return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dramatis"
    except RuntimeError:
        raise UserError("there is no home folder to keep a signing certificate in: set XDG_CONFIG_HOME") from None


def path() -> Path:
    return folder() / "signing.pem"


def signer() -> Signer:
    """Give this machine's signer, made on the first call; of processes that make one at once, one wins for all."""
    if not path().exists():
        try:
            _publish(_make())
        except OSError as error:
            raise UserError(
                f"{path()}: {(error.strerror or str(error)).lower()}: pictures are signed with a certificate kept "
                f"there, give rights or set XDG_CONFIG_HOME to a folder of yours"
            ) from None
    return _read(path())


def known_authority() -> str | None:
    """Give the authority of this machine's certificate in PEM, or None where nothing was ever signed here."""
    return _read(path()).authority if path().exists() else None


def _read(file: Path) -> Signer:
    try:
        data = file.read_bytes()
        key = serialization.load_pem_private_key(data, password=None)
        leaf, authority = x509.load_pem_x509_certificates(data)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("no Ed25519 key")
        if not leaf.not_valid_before_utc <= datetime.now(UTC) <= leaf.not_valid_after_utc:
            raise ValueError(f"valid from {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}")
    except (ValueError, TypeError, OSError) as error:
        why = one_line(error, 120)
        raise UserError(f"{file} cannot be used for signing ({why}): remove it and a new one is made") from None
    name = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return Signer(key, _pem(leaf) + _pem(authority), _pem(authority), str(name))


def _publish(data: bytes) -> None:
    """Put the file in its place whole, readable by its owner alone, unless another process was first."""
    folder().mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=folder())  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        with contextlib.suppress(FileExistsError):
            os.link(part, path())
    finally:
        os.unlink(part)


def _make() -> bytes:
    """Make a key, its certificate and the authority that issued it."""
    authority_key, key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    mark = key.public_key().public_bytes_raw()[:4].hex()  # tells machines apart and says nothing about them
    issuer = _name(f"Dramatis authority {mark}")
    authority = (
        _certificate(issuer, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(authority_key, None)
    )
    leaf = (
        _certificate(_name(f"Dramatis {mark}"), issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        # C2PA asks for a purpose; this is the one that its validators take without a list of their own.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, None)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + (_pem(leaf) + _pem(authority)).encode()


def _certificate(subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Dramatis")]
    )


def _usage(*granted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in granted for usage in USAGES})


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
