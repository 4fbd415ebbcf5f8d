taxo train plain --epochs 1 --data digits
