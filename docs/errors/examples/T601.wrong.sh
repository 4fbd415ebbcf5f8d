taxo train plain --epochs 1 --lr 1e5
