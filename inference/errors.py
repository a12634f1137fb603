"""The error a person can mend: one line that names the value, what was expected and the way out."""


class UserError(Exception):
    """Raise for a user's mistake or a missing thing; commands print the line and exit with code 2, no traceback."""
