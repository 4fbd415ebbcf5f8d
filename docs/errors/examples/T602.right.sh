taxo train plain --epochs 1 --batch-size 64
