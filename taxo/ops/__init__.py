"""What the words compute: one file per axis of the language."""
