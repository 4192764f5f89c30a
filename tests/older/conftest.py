"""A clean accelerate for each test, and the digits."""

from accelerated import clean_accelerate, images  # noqa: F401 (fixtures)
