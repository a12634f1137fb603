"""What a user of a bundle must know, in a table of facts."""

from inference.bundle import Bundle


def card(bundle: Bundle, *own: tuple[str, str]) -> list[tuple[str, str]]:
    """Tell what a bundle says of itself, and beside it what is its `own`: (label, value)."""
    manifest, made, licences = bundle.manifest, bundle.manifest["provenance"], bundle.manifest["licences"]
    data = ", ".join(f"{licence} ({count})" for licence, count in licences["data"].items())
    git = made["git"]
    return [
        ("bundle", " ".join([manifest["name"], manifest["version"], manifest["created"]])),
        ("sha256", bundle.sha256),
        *own,
        ("licence", f"weights {licences['weights']}; code {licences['code']}; trained on {data}"),
        ("commercial use", "allowed" if manifest["commercial"] else "not allowed"),
        ("a toy", "yes, of the rendered demo world" if manifest["demo"] else "no"),
        ("made by", f"{made['command']}, git {git['revision'][:12] if git else 'unknown'}"),
        ("described in", f"{bundle.folder}/README.md"),
    ]
