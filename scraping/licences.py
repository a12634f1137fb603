"""Recognise a licence in what a page, a file or an API says about one."""

import re

# An address means its licence wherever it stands. A name must be all that is said: "not in the public domain" and
# "all rights reserved, metadata: CC0" hold names too.
ADDRESS = re.compile(
    r"(?<![\w-])creativecommons\.org/"
    r"(?:(?P<zero>publicdomain/zero)|(?P<mark>publicdomain/mark)"
    r"|licenses/(?P<cc>by(?:-nc)?(?:-sa|-nd)?)/(?P<version>\d\.\d)(?!\d))",
    re.IGNORECASE,
)
NAME = re.compile(
    r"(?:(?:licen[cs]ed?|rights)\b:? ?)?(?:under )?(?:the |a )?"
    r"(?:(?P<zero>cc[ -]?(?:0|zero)(?:[ -]1\.0)?(?: universal)?)"
    r"|(?P<mark>(?:public[ -]domain(?: mark)?|pdm|pd)(?:[ -]1\.0)?)"
    # Commons lists the versions of a choice, newest first ("4.0-3.0-2.5"), and names a port ("3.0 de").
    r"|cc[ -](?P<cc>by(?:[ -]nc)?(?:[ -](?:sa|nd))?)"
    r"(?:[ -](?P<version>\d\.\d)(?:[-,]\d\.\d)*(?: (?:international|unported|generic))?(?:[ -][a-z]{2,3})?)?"
    r"|(?P<plain>(?-i:Apache-2\.0|MIT|GPL-[23]\.0(?:-or-later|-only)?|OGL-UK-3\.0)))"
    r"(?: licen[cs]e)?\.?",
    re.IGNORECASE,
)


def spdx(text: str | None) -> str | None:
    """Name the licence that a text or address states, as SPDX does; None where it states none, or two, that we know.

    A version that is not stated stays unstated.
    """
    words = " ".join((text or "").split())
    found = {_named(match) for match in ADDRESS.finditer(words)}
    if found:
        return found.pop() if len(found) == 1 else None
    whole = NAME.fullmatch(words)
    return _named(whole) if whole else None


def _named(match: re.Match[str]) -> str:
    said = match.groupdict()
    if said["zero"]:
        return "CC0-1.0"
    if said["mark"]:
        return "PDM-1.0"
    if said["cc"]:
        name = f"CC-{said['cc'].upper().replace(' ', '-')}"
        return f"{name}-{said['version']}" if said["version"] else name
    return said["plain"]
