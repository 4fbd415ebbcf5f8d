# a batch that the memory does not hold
taxo train plain --epochs 1 --batch-size 100000
