"""The error a person can mend: one line that names the value, what was expected and the way out."""


class UserError(Exception):
    """Raise for a user's mistake or a missing thing; commands print the line and exit with code 2, no traceback."""


def one_line(error: BaseException, most: int = 200) -> str:
    """Fold what an error of somebody else's code says into one line of at most so many letters."""
    return " ".join(str(error).split())[:most] or type(error).__name__
