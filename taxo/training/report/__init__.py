"""Pages about runs and comparisons: one file each, with pictures inside, that opens anywhere."""
