"""What a page embeds by `![[eq-7#derivation]]` and the like; `embeds` is the way in, by name and part."""
