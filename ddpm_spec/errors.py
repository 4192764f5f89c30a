"""What went wrong, for the person at the terminal."""

__all__ = ["InputError"]


class InputError(Exception):
    """One line: what is wrong and what would be right. Commands print it and exit with status 2."""
