"""The paper's tables and figures again, one target each, with its values beside ours.

`published` holds what the paper printed, `runs` finds or trains the models, `images` draws what the
figures show, `targets` puts each table and figure together, `output` writes it.
"""
