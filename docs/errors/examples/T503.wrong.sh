taxo train plain --epochs 1 --noise 30%
