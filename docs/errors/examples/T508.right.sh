taxo train plain --epochs 1 --lr 0.05 --output runs/first
taxo train plain --epochs 1 --lr 0.1 --output runs/second
