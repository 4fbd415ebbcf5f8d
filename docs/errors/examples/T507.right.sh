taxo train plain --epochs 1 --output runs/first
taxo train --resume runs/first
