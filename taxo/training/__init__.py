"""The training room: data, noise, models, the loop, checkpoints and comparisons."""
