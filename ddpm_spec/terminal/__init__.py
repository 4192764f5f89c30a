"""What a person types and sees: options, progress, errors of one line, tables."""
