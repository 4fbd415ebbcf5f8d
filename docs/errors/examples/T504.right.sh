taxo train plain --epochs 1 --model mlp
