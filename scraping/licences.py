"""Recognise a licence in what a page, a file or an API says about one."""

import re

# Creative Commons by address or by name; a version that is not stated stays unstated.
CC_ADDRESS = re.compile(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)", re.IGNORECASE)
CC_NAME = re.compile(r"\bCC[ -](BY(?:-NC)?(?:-SA|-ND)?)(?:[ -](\d\.\d))?", re.IGNORECASE)
CC0 = re.compile(r"creativecommons\.org/publicdomain/zero|\bCC[ -]?0\b", re.IGNORECASE)
PUBLIC_DOMAIN = re.compile(r"creativecommons\.org/publicdomain/mark|\bpublic domain\b|\bPDM\b|^pd\b", re.IGNORECASE)
PLAIN = re.compile(r"\b(Apache-2\.0|MIT|GPL-[23]\.0(?:-or-later|-only)?|OGL-UK-3\.0)\b")


def spdx(text: str | None) -> str | None:
    """Name the licence that a text or address states, as SPDX does; None where it states none that we know."""
    if not text:
        return None
    if CC0.search(text):
        return "CC0-1.0"
    if found := CC_ADDRESS.search(text) or CC_NAME.search(text):
        name, version = found.groups()
        return f"CC-{name.upper()}" + (f"-{version}" if version else "")
    if PUBLIC_DOMAIN.search(text):
        return "PDM-1.0"
    plain = PLAIN.search(text)
    return plain.group(1) if plain else None
