taxo train plain --epochs 1 --noise pair:30%
