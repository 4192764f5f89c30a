"""What our Markdown can do that Python-Markdown cannot: formulas, citations, links and embedded notes."""
