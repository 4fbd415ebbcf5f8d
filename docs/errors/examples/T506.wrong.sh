taxo train plain --epochs 1 --output runs/first
taxo train plain --epochs 2 --output runs/first
