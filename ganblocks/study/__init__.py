"""A study: variants of one recipe over several seeds, and what their numbers allow to say."""
