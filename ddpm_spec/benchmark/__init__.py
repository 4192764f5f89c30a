"""Races against diffusers: what is raced, each race in a process of its own, and the report."""
