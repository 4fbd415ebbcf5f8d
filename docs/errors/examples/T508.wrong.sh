taxo train plain --epochs 1 --lr 0.05 --output runs/first
taxo train --resume runs/first --lr 0.1
