taxo train plain --epochs 1 --device auto
