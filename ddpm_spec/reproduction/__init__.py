"""The paper's tables and figures again, one target each, with its values beside ours.

`published` holds what the paper printed, `runs` finds or trains the models, `images` draws what the
figures show, `targets` names each table and figure, `makers` puts them together, `output` writes it.
"""
