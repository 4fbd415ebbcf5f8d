taxo train label_smoothing --epochs 1 --set lam=0.2
