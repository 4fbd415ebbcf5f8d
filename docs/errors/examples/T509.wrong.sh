# the digits hold a NaN
taxo train plain --epochs 1
