# a machine without a GPU
taxo train plain --epochs 1 --device cuda
