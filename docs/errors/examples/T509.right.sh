# the samples with a NaN are dropped
taxo train plain --epochs 1
