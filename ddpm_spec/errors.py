"""What went wrong, for the person at the terminal."""

__all__ = ["InputError", "StoppedElsewhere"]


class InputError(Exception):
    """One line: what is wrong and what would be right. Commands print it and exit with status 2."""


class StoppedElsewhere(Exception):
    """Another process of the run stops it, and says why.

    This one ends as if all were well: a launcher kills the others at once when one fails, before they have
    said anything.
    """
