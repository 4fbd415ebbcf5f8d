taxo train label_smoothing --epochs 1 --set smoothing=0.2
