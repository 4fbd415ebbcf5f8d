taxo train plain --epochs 1 --lr 0.02
